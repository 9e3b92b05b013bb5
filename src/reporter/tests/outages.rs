//! Promises 2, 3 and 4 while the collector fails, on a paused clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::harness::{Simulated, answering, builder, start};
use crate::config::RetryLimits;
use crate::report::Report;
use crate::stats::{DropReason, FailureClass, Stats};
use crate::transport::DeliveryError;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const FOREVER: Duration = Duration::from_secs(1_000_000);

#[track_caller]
fn assert_accounted(stats: &Stats) {
    assert_eq!(stats.captured, stats.settled() + stats.unsettled(), "{stats}");
}

/// Hands over 1,000 reports a second, evenly.
async fn traffic(simulated: &Simulated, seconds: u32) {
    for _ in 0..seconds * 100 {
        for _ in 0..10 {
            simulated.report();
        }
        sleep(SECOND / 100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_a_collector_at_a_thousand_exchanges_a_second_costs_a_full_budget_and_no_more() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let (simulated, seen) = answering(
        builder(),
        || 0.5,
        move |_| match down.load(SeqCst) {
            true => Err(DeliveryError::unavailable()),
            false => Ok(()),
        },
    );
    let began = Instant::now();
    for _ in 0..60 {
        traffic(&simulated, 60).await;
        let stats = simulated.stats();
        assert!(stats.pending <= 10_000 && stats.bytes_held <= 64 << 20, "{stats}");
    }
    assert!(began.elapsed() >= HOUR);
    let stats = simulated.stats();
    assert_eq!((stats.captured, stats.delivered, stats.pending), (3_600_000, 0, 10_000));
    assert_eq!(stats.dropped(DropReason::TooManyItems), 3_590_000);
    assert_eq!(stats.last_failure, Some(FailureClass::Unavailable));
    assert_accounted(&stats);
    // After the first 32 attempts, one probe every half a minute on average.
    let probes = seen.all().len();
    assert!((100..200).contains(&probes), "{probes}");

    is_down.store(false, SeqCst);
    let flushed = simulated.flush(FOREVER).await;
    assert_eq!((flushed.delivered, flushed.pending), (10_000, 0));
    assert_eq!(simulated.stats().delivered, 10_000);
    assert_eq!(simulated.stats().bytes_held, 0);
}

/// A slow collector that records the number of concurrent requests.
#[tokio::test(start_paused = true)]
async fn a_collector_that_comes_back_is_asked_by_one_first_and_by_one_more_with_each_success() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let (began, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let transport = tower::service_fn(move |_: Report| {
        let (is_down, began) = (down.load(SeqCst), began.clone());
        async move {
            if is_down {
                return Err(DeliveryError::unavailable());
            }
            began.send(Instant::now()).unwrap();
            sleep(SECOND).await;
            Ok(())
        }
    });
    let simulated = start(builder(), transport, || 0.5);
    for _ in 0..500 {
        simulated.report();
    }
    sleep(HOUR).await;
    is_down.store(false, SeqCst);
    simulated.flush(FOREVER).await;
    let mut moments = Vec::new();
    while let Ok(moment) = starts.try_recv() {
        moments.push(moment);
    }
    let mut waves = Vec::new();
    for wave in moments.chunk_by(|a, b| a == b) {
        waves.push(wave.len());
    }
    assert_eq!(waves[..7], [1, 1, 2, 4, 8, 16, 32]);
    assert_eq!(waves.iter().sum::<usize>(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_the_collector_chokes_on_holds_up_none_of_a_thousand_others() {
    let (simulated, seen) = answering(
        builder(),
        || 0.5,
        |attempt| match attempt.number {
            500 => Err(DeliveryError::unavailable().with_status(500)),
            _ => Ok(()),
        },
    );
    let began = Instant::now();
    for _ in 0..1_001 {
        simulated.report();
    }
    simulated.flush(SECOND).await;
    let good = seen.all().into_iter().filter(|attempt| attempt.number != 500);
    assert!(good.clone().all(|attempt| attempt.at - began <= SECOND / 20), "at full speed");
    assert_eq!(good.count(), 1_000);

    let flushed = simulated.flush(FOREVER).await;
    assert_eq!((flushed.dropped, flushed.pending), (1, 0));
    let poison: Vec<_> = seen.all().into_iter().filter(|attempt| attempt.number == 500).collect();
    assert_eq!(poison.len(), 20, "it spends its own attempts");
    assert!(poison.iter().all(|attempt| attempt.id == poison[0].id));
    let stats = simulated.stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Undelivered), stats.retried), (1_000, 1, 19));
}

/// The collector always answers with `error`. Returns the times of the attempts in milliseconds
/// since the first.
async fn schedule(error: DeliveryError, attempts: usize) -> (Vec<u128>, Stats) {
    let (simulated, seen) = answering(
        builder().retry(RetryLimits { attempts: 10, ..RetryLimits::default() }),
        || 1.0,
        move |_| Err(error.clone()),
    );
    simulated.report();
    for _ in 0..10_000 {
        if seen.all().len() >= attempts || simulated.stats().pending == 0 {
            break;
        }
        sleep(SECOND / 2).await;
    }
    (seen.milliseconds(), simulated.stats())
}

#[tokio::test(start_paused = true)]
async fn one_report_is_tried_on_the_schedule_of_each_answer_to_the_millisecond() {
    let asked = |seconds| DeliveryError::unavailable().with_retry_after(Duration::from_secs(seconds));
    let doubling = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 63_500, 123_500, 183_500];

    let (moments, stats) = schedule(DeliveryError::unavailable(), 20).await;
    assert_eq!((moments, stats.dropped(DropReason::Undelivered)), (doubling.to_vec(), 1));
    let (moments, stats) = schedule(DeliveryError::rejected().with_status(400), 20).await;
    assert_eq!((moments, stats.rejected), (vec![0], 1));
    let (moments, stats) = schedule(DeliveryError::unauthorized().with_status(401), 8).await;
    assert_eq!(moments, [0, 5_000, 15_000, 35_000, 75_000, 135_000, 195_000, 255_000]);
    assert_eq!((stats.pending, stats.last_failure), (1, Some(FailureClass::Unauthorized)));

    // A requested pause is the minimum pause, and does not count as an attempt.
    let (moments, stats) = schedule(asked(7), 12).await;
    assert_eq!(moments[..5], [0, 7_000, 14_000, 21_000, 28_000]);
    assert_eq!((moments.len(), stats.pending), (12, 1), "ten would be all");
    let (moments, _) = schedule(asked(0), 12).await;
    assert_eq!((&moments[..10], moments.len()), (&doubling[..], 12), "nobody is asked without a pause");
    let (moments, _) = schedule(asked(1_000_000_000), 3).await;
    assert_eq!(moments, [0, 300_000, 600_000]);
}

#[tokio::test(start_paused = true)]
async fn what_the_collector_asks_for_holds_up_every_report() {
    let mut is_first = true;
    let (simulated, seen) = answering(
        builder(),
        || 0.5,
        move |_| match std::mem::take(&mut is_first) {
            true => Err(DeliveryError::unavailable().with_status(429).with_retry_after(30 * SECOND)),
            false => Ok(()),
        },
    );
    simulated.report();
    sleep(SECOND).await;
    for _ in 0..100 {
        simulated.report();
    }
    assert!(simulated.flush(FOREVER).await.is_complete());
    let moments = seen.milliseconds();
    assert_eq!(moments.len(), 102);
    assert!(moments[1..].iter().all(|moment| *moment >= 30_000), "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_not_accepted_leave_one_probe_and_every_report_is_kept() {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    let (simulated, seen) = answering(
        builder(),
        || 0.5,
        move |_| match mended.load(SeqCst) {
            true => Ok(()),
            false => Err(DeliveryError::unauthorized().with_status(401)),
        },
    );
    simulated.report();
    sleep(SECOND).await;
    for _ in 0..1_000 {
        simulated.report();
    }
    sleep(HOUR).await;
    let attempts = seen.all();
    let last = attempts.last().unwrap().at;
    assert_eq!(attempts.len(), 2 + 3 + (3_600 - 75) / 60, "5, 15, 35, 75 s, and then every minute");
    is_mended.store(true, SeqCst);
    let flushed = simulated.flush(FOREVER).await;
    assert_eq!((flushed.delivered, flushed.pending), (1_001, 0));
    assert!(seen.all()[attempts.len()..].iter().all(|attempt| attempt.at - last <= 61 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn probes_go_round_the_reports_and_cost_them_nothing() {
    let (simulated, seen) = answering(
        builder().retry(RetryLimits { attempts: 2, ..RetryLimits::default() }),
        || 1.0,
        |_| Err(DeliveryError::unavailable()),
    );
    for _ in 0..50 {
        simulated.report();
    }
    sleep(2 * HOUR).await;
    let attempts = seen.all();
    // Five failures open the breaker, the other attempts in flight follow, and then each report is
    // probed once before any is probed again.
    let mut probed: Vec<_> = attempts[32..].iter().map(|attempt| attempt.number).collect();
    assert!(probed.len() > 100);
    let round = probed.len().min(50);
    probed.truncate(round);
    probed.sort_unstable();
    probed.dedup();
    assert_eq!(probed.len(), round, "nobody twice in a round");
    assert_eq!(simulated.stats().pending, 50);
}

#[tokio::test(start_paused = true)]
async fn every_report_is_probed_again_and_again_however_the_pauses_vary() {
    fn varied() -> f64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        (NEXT.fetch_add(7_919, SeqCst) % 1_000) as f64 / 1_000.0
    }

    let (simulated, seen) = answering(builder(), varied, |_| Err(DeliveryError::unavailable()));
    for _ in 0..20 {
        simulated.report();
    }
    sleep(10 * HOUR).await;
    let attempts: Vec<_> = seen.all().iter().map(|attempt| attempt.number).collect();
    assert!(attempts.len() > 500);
    for window in attempts[20..].windows(60) {
        let probed: BTreeSet<_> = window.iter().collect();
        assert_eq!(probed.len(), 20, "some wait for three rounds: {window:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_its_age_is_given_up() {
    let config = builder().retry(RetryLimits { age: 10 * SECOND, attempts: 1_000 });
    let (simulated, _) = answering(config, || 0.5, |_| Err(DeliveryError::unavailable()));
    simulated.report();
    let flushed = simulated.flush(FOREVER).await;
    assert_eq!((flushed.dropped, simulated.stats().dropped(DropReason::Expired)), (1, 1));
}
