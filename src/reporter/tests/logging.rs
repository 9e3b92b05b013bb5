//! Promise 7: which lines the log contains, and which it does not.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tracing::subscriber::DefaultGuard;

use super::harness::{answering, builder, listen, start};
use crate::middleware::ReconifyLayer;
use crate::report::Report;
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
        Self::at(tracing::Level::INFO)
    }

    pub(in crate::reporter) fn at(level: tracing::Level) -> (Self, DefaultGuard) {
        listen();
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || writer.clone());
        let subscriber = subscriber.with_max_level(level);
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    /// The lines about something that is wrong, or right again.
    pub(in crate::reporter) fn lines(&self) -> Vec<String> {
        let routine = ["the first report was accepted", "were read from disk", "stay on disk"];
        let is_routine = |line: &String| routine.iter().any(|text| line.contains(text));
        self.all().into_iter().filter(|line| !is_routine(line)).collect()
    }

    pub(in crate::reporter) fn all(&self) -> Vec<String> {
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
    assert!(lines[0].contains("error=\"the collector cannot accept the report now\""), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn at_debug_each_report_is_one_line_and_each_failed_attempt_another_with_its_cause() {
    let (log, _guard) = Log::at(tracing::Level::DEBUG);
    let failures = Arc::new(AtomicUsize::new(0));
    let (simulated, _) = answering(
        builder(),
        || 0.5,
        move |_| match failures.fetch_add(1, SeqCst) {
            0 => Err(DeliveryError::unreachable().with_source("connection refused")),
            _ => Ok(()),
        },
    );
    simulated.report();
    simulated.flush(HOUR).await;
    let lines = log.all();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].contains("DEBUG tower_reconify: a report was made id="), "{lines:#?}");
    assert!(lines[0].contains("outcome=\"answered\"") && lines[0].contains("duration_ms="), "{lines:#?}");
    let failure = "an attempt failed id=";
    assert!(lines[1].contains(failure) && lines[1].contains("reached: connection refused"), "{lines:#?}");
    assert!(lines[2].contains("INFO tower_reconify: the first report was accepted"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_loses_reports_says_how_many_and_why() {
    let (log, _guard) = Log::here();
    let transport = service_fn(|_: Report| std::future::pending::<Result<(), DeliveryError>>());
    let simulated = start(builder(), transport, || 0.5);
    simulated.report();
    let ended = simulated.shutdown(2 * SECOND).await;
    assert_eq!(ended.dropped, 1);
    let lines = log.lines();
    let line = lines.iter().find(|line| line.contains("reports were not delivered")).unwrap();
    assert!(line.contains("WARN") && line.contains("lost=1"), "{lines:#?}");
    assert!(line.contains("why=1 attempt unanswered for 2.0 s"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_an_outage_names_the_last_failure() {
    let (log, _guard) = Log::here();
    let failure = DeliveryError::unavailable().with_status(503).with_retry_after(HOUR);
    let (simulated, _) = answering(builder(), || 0.5, move |_| Err(failure.clone()));
    simulated.report();
    sleep(SECOND).await;
    simulated.shutdown(SECOND).await;
    let lines = log.lines();
    let line = lines.iter().find(|line| line.contains("reports were not delivered")).unwrap();
    let why = "why=1 waiting because the collector cannot accept the report now (status 503)";
    assert!(line.contains(why), "{lines:#?}");
}

/// A layer in front of a service that answers, and the paths to ask.
async fn pass(layer: &ReconifyLayer, paths: impl IntoIterator<Item = String>, content_type: &str) {
    let inner = service_fn(async |_: http::Request<crate::RequestBody<Full<Bytes>>>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::default()))
    });
    for path in paths {
        let request = http::Request::post(path).header("content-type", content_type);
        let request = request.body(Full::<Bytes>::default()).unwrap();
        layer.layer(inner).oneshot(request).await.unwrap();
    }
}

#[tokio::test]
async fn paths_of_json_posts_that_are_not_captured_are_told_once_without_query_and_32_at_the_most() {
    let (log, guard) = Log::at(tracing::Level::DEBUG);
    let (layer, _reports) = crate::testing::recording();
    pass(&layer, ["/ask?key=s3cret", "/ask", "/v1/chat/completions"].map(str::to_owned), "application/json")
        .await;
    pass(&layer, ["/form".to_owned()], "text/plain").await;
    let told = |log: &Log| -> Vec<_> {
        log.all().into_iter().filter(|line| line.contains("not captured")).collect()
    };
    let lines = told(&log);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("DEBUG tower_reconify: ") && lines[0].contains("path=\"/ask\""), "{lines:#?}");
    pass(&layer, (0..100).map(|number| format!("/{number}")), "application/json; charset=utf-8").await;
    pass(&layer, [format!("/{}", "x".repeat(1_000))], "application/json").await;
    assert_eq!(told(&log).len(), 32);
    drop(guard);

    let (log, _guard) = Log::here();
    let (layer, _reports) = crate::testing::recording();
    pass(&layer, ["/ask".to_owned()], "application/json").await;
    let disabled = ReconifyLayer::with_transport(
        crate::Config::disabled(),
        service_fn(async |_: Report| Ok::<_, DeliveryError>(())),
    );
    pass(&disabled, ["/ask".to_owned()], "application/json").await;
    assert!(told(&log).is_empty(), "{:#?}", log.all());
}

#[tokio::test]
async fn the_start_of_reporting_is_one_line_with_collector_sampling_and_spool() {
    let (log, _guard) = Log::here();
    let folder = tempfile::tempdir().unwrap();
    let spool = crate::Spool::at(folder.path());
    let config =
        builder().endpoint("https://u:p4ssw0rd@collector.example/track?s3cret").sample(0.5).spool(spool);
    drop(ReconifyLayer::new(config.build().unwrap()));
    let lines = log.all();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let start = format!(
        "INFO tower_reconify: reporting starts collector=\"https://collector.example/track\" sample=0.5 spool={} spooling=\"when-needed\"",
        folder.path().display()
    );
    assert!(lines[0].contains(&start), "{lines:#?}");
    assert!(!lines[0].contains("p4ssw0rd") && !lines[0].contains("s3cret"));
}
