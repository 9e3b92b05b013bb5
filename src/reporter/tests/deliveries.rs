//! `Reporter::deliver`: a stored report ends exactly once, and its caller learns how.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tower::service_fn;
use uuid::Uuid;

use super::harness::{answering, builder, start};
use crate::config::{Limits, RetryLimits, Spool, Spooling};
use crate::report::Report;
use crate::reporter::{Reporter, Undelivered};
use crate::stats::DropReason;
use crate::transport::DeliveryError;

const HOUR: Duration = Duration::from_secs(3_600);

fn stored(number: u64) -> Report {
    let json = format!(
        r#"{{"reconify":{{"format":"openai","type":"chat","version":"1.0.0"}},"request":{number},"response":1}}"#
    );
    Report::from_stored(Uuid::from_u64_pair(7, number), json).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_delivery_is_told_to_whoever_waits_and_counted_once() {
    let retry = RetryLimits { attempts: 2, ..RetryLimits::default() };
    let (simulated, seen) = answering(
        builder().retry(retry),
        || 0.5,
        |attempt| match attempt.number {
            0 => Ok(()),
            1 => Err(DeliveryError::rejected().with_status(422)),
            2 => Err(DeliveryError::unavailable().with_status(503)),
            _ => panic!("on purpose"),
        },
    );
    let ends = join_all((0..4).map(|number| simulated.reporter.deliver(stored(number)))).await;
    let (rejected, given_up) = (Err(Undelivered::Rejected), Err(Undelivered::GivenUp));
    assert_eq!(ends, [Ok(()), rejected, given_up, given_up]);
    let stats = simulated.stats();
    assert_eq!((stats.captured, stats.settled(), stats.pending, stats.bytes_held), (4, 4, 0, 0), "{stats}");
    assert_eq!((stats.delivered, stats.rejected, stats.dropped(DropReason::Undelivered)), (1, 1, 1));
    assert_eq!(
        seen.all().first().map(|attempt| attempt.id),
        Some(Uuid::from_u64_pair(7, 0)),
        "the id is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_deliveries_with_faults_at_random_are_each_told_as_they_are_counted() {
    let mut random = fastrand::Rng::with_seed(11);
    let config = builder().retry(RetryLimits { attempts: 3, ..RetryLimits::default() });
    let (simulated, _) = answering(config, fastrand::f64, move |_| match random.u32(0..100) {
        0..=69 => Ok(()),
        70..=89 => Err(DeliveryError::unavailable().with_status(503)),
        90..=94 => Err(DeliveryError::unavailable().with_retry_after(Duration::from_millis(20))),
        _ => Err(DeliveryError::rejected().with_status(400)),
    });
    let ends = join_all((0..10_000).map(|number| simulated.reporter.deliver(stored(number)))).await;
    let stats = simulated.stats();
    let count = |end: Result<(), Undelivered>| ends.iter().filter(|known| **known == end).count() as u64;
    assert_eq!(count(Ok(())), stats.delivered, "{stats}");
    assert_eq!(count(Err(Undelivered::Rejected)), stats.rejected, "{stats}");
    assert_eq!(count(Err(Undelivered::GivenUp)), stats.dropped(DropReason::Undelivered), "{stats}");
    assert_eq!((stats.captured, stats.settled(), stats.pending), (10_000, 10_000, 0), "{stats}");
    assert!(stats.delivered > 8_000 && stats.rejected > 100, "{stats}");
}

#[tokio::test(start_paused = true)]
async fn without_room_or_with_a_disabled_reporter_nothing_is_sent_and_the_caller_is_told_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let closed = Arc::clone(&gate);
    let transport = service_fn(move |_: Report| {
        let gate = Arc::clone(&closed);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, DeliveryError>(())
        }
    });
    let limits = Limits { items: 1, bytes: 10_000, body_bytes: 10_000 };
    let simulated = start(builder().limits(limits), transport, || 0.5);
    let mut first = std::pin::pin!(simulated.reporter.deliver(stored(0)));
    assert!(futures_util::poll!(&mut first).is_pending());
    assert_eq!(simulated.reporter.deliver(stored(1)).await, Err(Undelivered::NoRoom));
    gate.add_permits(1);
    assert_eq!(first.await, Ok(()));
    let large = stored(2).json().replace(":2,", &format!(":\"{}\",", "x".repeat(20_000)));
    let large = Report::from_stored(Uuid::nil(), large).unwrap();
    assert_eq!(simulated.reporter.deliver(large).await, Err(Undelivered::NoRoom));
    let stats = simulated.stats();
    assert_eq!((stats.captured, stats.settled(), stats.bytes_held), (3, 3, 0), "{stats}");
    assert_eq!(Reporter::disabled().deliver(stored(3)).await, Err(Undelivered::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_deliveries_and_a_dropped_future_leaves_its_report_on_its_way() {
    let (simulated, seen) = answering(builder(), || 0.5, |_| Ok(()));
    {
        let delivery = std::pin::pin!(simulated.reporter.deliver(stored(0)));
        assert!(futures_util::poll!(delivery).is_pending());
    }
    let flushed = simulated.flush(HOUR).await;
    assert_eq!((flushed.delivered, flushed.pending), (1, 0), "{flushed}");
    assert_eq!(seen.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_those_that_still_wait_and_nothing_of_theirs_is_left_on_disk() {
    for spooling in [Spooling::WhenNeeded, Spooling::Always] {
        let folder = tempfile::tempdir().unwrap();
        let config = builder().spool(Spool::at(folder.path()).with_spooling(spooling));
        let (simulated, _) =
            answering(config, || 0.5, |_| Err(DeliveryError::unavailable().with_status(503)));
        let mut waiting = std::pin::pin!(simulated.reporter.deliver(stored(0)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let summary = simulated.shutdown(Duration::from_secs(2)).await;
        assert_eq!((summary.dropped, summary.spooled), (1, 0), "{summary}");
        assert_eq!(waiting.await, Err(Undelivered::Shutdown));
        assert_eq!(simulated.reporter.deliver(stored(1)).await, Err(Undelivered::Shutdown), "after the end");
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_reports_are_sent_at_once_as_the_setting_says() {
    for most in [1, 7, 100] {
        let gate = Arc::new(Semaphore::new(0));
        let closed = Arc::clone(&gate);
        let transport = service_fn(move |_: Report| {
            let gate = Arc::clone(&closed);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, DeliveryError>(())
            }
        });
        let simulated = start(builder().concurrent_deliveries(most), transport, || 0.5);
        (0..200).for_each(|_| simulated.report());
        simulated.flush(Duration::from_secs(1)).await;
        assert_eq!(simulated.stats().sending, most as u64);
        gate.add_permits(200);
        assert_eq!(simulated.flush(HOUR).await.delivered, 200);
    }
}
