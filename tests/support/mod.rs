//! What several test files need: a layer whose reports can be read, and a gateway process between servers of the test.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub mod gateway;

use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tower::service_fn;
use tower_reconify::{Config, ReconifyLayer, Report, Stats};

/// Long beside everything that a test waits for: it is only reached when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration with the test's keys.
pub fn config() -> Config {
    Config::builder("test-app-key", "test-api-key")
        .endpoint("http://127.0.0.1:9/track")
        .build()
        .unwrap()
}

/// A layer, and the reports that leave through it.
pub struct Observed {
    pub layer: ReconifyLayer,
    reports: mpsc::UnboundedReceiver<Report>,
}

pub fn observed() -> Observed {
    observed_with(config())
}

pub fn observed_with(config: Config) -> Observed {
    let (sender, reports) = mpsc::unbounded_channel();
    let layer = ReconifyLayer::with_transport(
        config,
        service_fn(move |report: Report| {
            let sent = sender.send(report);
            async move { sent.map_err(|_| "the test is over") }
        }),
    );
    Observed { layer, reports }
}

impl Observed {
    /// The next report, as JSON.
    pub async fn report(&mut self) -> Value {
        serde_json::from_str(&self.report_text().await).expect("a report is JSON")
    }

    pub async fn report_text(&mut self) -> String {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        report
            .expect("a report in time")
            .expect("the worker lives")
            .json()
            .to_owned()
    }

    /// Everything that is reported from what was handed over before, once nothing is left.
    pub async fn settle(&mut self) -> (Vec<Value>, Stats) {
        let flushed = self.layer.reporter().flush(PATIENCE).await;
        assert_eq!(flushed.pending, 0, "everything is settled in time");
        let mut reports = Vec::new();
        while let Ok(report) = self.reports.try_recv() {
            reports.push(serde_json::from_str(report.json()).expect("a report is JSON"));
        }
        (reports, self.layer.reporter().stats())
    }
}

/// Asserts promise 4, for a reporter at rest.
#[track_caller]
pub fn assert_accounted(stats: &Stats) {
    assert_eq!(stats.captured, stats.settled() + stats.pending, "{stats}");
}

/// The text of a field of a report, as it stands there.
pub fn field<'a>(report: &'a str, name: &str) -> &'a str {
    let fields: std::collections::HashMap<&str, &RawValue> = serde_json::from_str(report).unwrap();
    fields[name].get()
}
