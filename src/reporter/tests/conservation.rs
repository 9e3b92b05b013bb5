//! Promise 4 under random faults, and under code that panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Semaphore;
use tower::service_fn;

use super::harness::{Simulated, answering, builder, start};
use crate::report::Report;
use crate::stats::DropReason;
use crate::transport::DeliveryError;

const REPORTS: u64 = 400_000;
/// Reports that threads hand over at full speed, whether there is room or not.
const RUSHED: u64 = 40_000;
const FOREVER: Duration = Duration::from_secs(10_000_000);

/// A random result of an attempt.
fn end(random: u32) -> Result<(), DeliveryError> {
    match random {
        0..=899 => Ok(()),
        900..=949 => Err(DeliveryError::unavailable().with_status(503)),
        950 => Err(DeliveryError::unavailable().with_retry_after(Duration::from_millis(20))),
        951..=989 => Err(DeliveryError::rejected().with_status(400)),
        _ => Err(DeliveryError::unauthorized().with_status(403)),
    }
}

#[tokio::test(start_paused = true)]
async fn four_hundred_thousand_reports_through_a_gate_with_faults_at_random_add_up() {
    let gate = Arc::new(Semaphore::new(0));
    let is_open = Arc::new(AtomicBool::new(false));
    let (passing, free) = (Arc::clone(&gate), Arc::clone(&is_open));
    let mut random = fastrand::Rng::with_seed(5);
    let mut calls = 0_u64;
    let transport = service_fn(move |_: Report| {
        calls += 1;
        let (gate, is_open) = (Arc::clone(&passing), free.load(SeqCst));
        let end = end(random.u32(0..1_000));
        let panics = calls.is_multiple_of(30_000);
        async move {
            if !is_open {
                gate.acquire().await.unwrap().forget();
            }
            assert!(!panics, "on purpose");
            end
        }
    });
    let simulated = Arc::new(start(builder(), transport, fastrand::f64));
    let rushing = Arc::clone(&simulated);
    let rush = std::thread::spawn(move || (0..RUSHED).for_each(|_| rushing.report()));
    let (mut handed_over, mut looks) = (RUSHED, 0_u64);
    while handed_over < REPORTS {
        let stats = simulated.stats();
        assert!(stats.settled() + stats.unsettled() <= stats.captured, "{stats}");
        for _ in stats.pending..9_000.min(stats.pending + REPORTS - handed_over) {
            simulated.report();
            handed_over += 1;
        }
        gate.add_permits(50);
        looks += 1;
        assert!(looks < 1_000_000, "{stats}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rush.join().unwrap();

    // The gate is shut, and all attempts that passed it have ended.
    let at_rest = simulated.flush(Duration::from_secs(1)).await;
    let stats = simulated.stats();
    assert!(at_rest.pending > 0 && looks > 100, "{at_rest:?} {looks}");
    assert_eq!((stats.captured, stats.settled() + stats.unsettled()), (REPORTS, REPORTS), "{stats}");

    is_open.store(true, SeqCst);
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    assert_eq!(simulated.flush(FOREVER).await.pending, 0);
    let stats = simulated.stats();
    assert_eq!((stats.captured, stats.settled(), stats.pending), (REPORTS, REPORTS, 0), "{stats}");
    assert_eq!((stats.bytes_held, stats.sending), (0, 0));
    let budget = simulated.sender.budget();
    assert_eq!((budget.items(), budget.exchanges_open()), (0, 0), "places");
    assert!(stats.delivered > REPORTS / 2 && stats.rejected > 0 && stats.retried > 0, "{stats}");
    assert!(
        stats.dropped(DropReason::TooManyItems) > 0 && stats.dropped(DropReason::Panicked) > 0,
        "{stats}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_panics_while_it_is_a_probe_costs_one_report() {
    let mut calls = 0;
    let transport = service_fn(move |_: Report| {
        calls += 1;
        let call = calls;
        async move {
            assert_ne!(call, 7, "on purpose");
            if call <= 6 { Err(DeliveryError::unavailable()) } else { Ok(()) }
        }
    });
    let simulated = start(builder(), transport, || 0.5);
    for _ in 0..5 {
        simulated.report();
    }
    let flushed = simulated.flush(FOREVER).await;
    assert_eq!((flushed.delivered, flushed.dropped, flushed.pending), (4, 1, 0));
    assert_eq!(simulated.stats().dropped(DropReason::Panicked), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_a_dead_collector_tries_once_more_and_counts_the_rest() {
    let (simulated, seen) = answering(builder(), || 1.0, |_| Err(DeliveryError::unavailable()));
    for _ in 0..100 {
        simulated.report();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let before = seen.all().len();
    let ended = simulated.shutdown(Duration::from_secs(5)).await;
    assert_eq!((ended.delivered, ended.dropped), (0, 100));
    let tries = seen.all().len() - before;
    assert!((2..=11).contains(&tries), "one probe every half a second at the most: {tries}");
    let Simulated { worker, reporter, .. } = simulated;
    worker.await.unwrap();
    let stats = reporter.stats();
    assert_eq!((stats.dropped(DropReason::Shutdown), stats.pending, stats.sending), (100, 0, 0));
}
