//! Promise 7: which lines the log contains, and which it does not.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use tracing::subscriber::DefaultGuard;

use super::harness::{answering, builder};
use crate::stats::{DropReason, FailureClass};
use crate::transport::DeliveryError;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Default)]
pub(in crate::reporter) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(in crate::reporter) fn here() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    pub(in crate::reporter) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("tower_reconify")).map(str::to_owned).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_when_it_begins_and_once_when_it_ends_with_counts() {
    let (log, _guard) = Log::here();
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let (simulated, _) = answering(
        builder(),
        || 0.5,
        move |_| match up.load(SeqCst) {
            true => Ok(()),
            false => Err(DeliveryError::unavailable().with_status(503)),
        },
    );
    for _ in 0..1_000 {
        simulated.report();
    }
    sleep(HOUR).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("503") && lines[0].contains("waiting="));

    is_up.store(true, SeqCst);
    assert!(simulated.flush(HOUR).await.is_complete());
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[1].contains("delivered again") && lines[1].contains("failures=") && lines[1].contains("36")
    );
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_not_accepted_are_told_once() {
    let (log, _guard) = Log::here();
    let (simulated, _) =
        answering(builder(), || 0.5, |_| Err(DeliveryError::unauthorized().with_status(401)));
    for _ in 0..100 {
        simulated.report();
    }
    sleep(HOUR).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("until the keys are accepted") && lines[0].contains("401"), "{lines:#?}");
}

/// The transport has logged the reason. No reports wait, so no log line mentions waiting.
#[tokio::test(start_paused = true)]
async fn reports_that_cannot_be_sent_are_tried_once_dropped_for_that_reason_and_not_said_to_wait() {
    let (log, _guard) = Log::here();
    let (simulated, seen) = answering(builder(), || 0.5, |_| Err(DeliveryError::unsendable()));
    for _ in 0..100 {
        simulated.report();
    }
    sleep(HOUR).await;
    let stats = simulated.stats();
    assert_eq!((stats.dropped(DropReason::Unsendable), stats.pending, stats.retried), (100, 0, 0));
    assert_eq!((seen.all().len(), stats.last_failure), (100, Some(FailureClass::Unsendable)));
    let lines = log.lines();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("reports were lost")), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_told_once_a_minute_with_counts_and_without_content_or_keys() {
    let (log, _guard) = Log::here();
    let (simulated, seen) = answering(builder(), || 0.5, |_| Err(DeliveryError::rejected().with_status(400)));
    for _ in 0..600 {
        simulated.report();
        sleep(SECOND).await;
    }
    let lines = log.lines();
    assert!((9..=12).contains(&lines.len()), "ten minutes: {lines:#?}");
    simulated.shutdown(SECOND).await;
    simulated.worker.await.unwrap();
    let lines = log.lines();
    let lost = |line: &String| {
        let count = line.split("lost=").nth(1)?.split(' ').next()?;
        count.parse::<u64>().ok()
    };
    assert_eq!(lines.iter().filter_map(lost).sum::<u64>(), 600, "every one is told of: {lines:#?}");
    for line in &lines {
        assert!(line.contains("rejected") && !line.contains("answer") && !line.contains("key"), "{line}");
        assert!(seen.all().iter().all(|attempt| !line.contains(&attempt.id.to_string())));
    }
}

#[tokio::test(start_paused = true)]
async fn one_report_that_fails_among_others_is_no_outage_and_told_when_it_is_lost() {
    let (log, _guard) = Log::here();
    let (simulated, _) = answering(
        builder(),
        || 0.5,
        |attempt| match attempt.number {
            10 => Err(DeliveryError::unavailable()),
            _ => Ok(()),
        },
    );
    for _ in 0..2_000 {
        simulated.report();
        sleep(SECOND / 5).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("lost=1") && lines[0].contains("undelivered 1"), "{lines:#?}");
}
