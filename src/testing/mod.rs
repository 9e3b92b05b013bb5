//! For tests of applications: a layer whose reports a test can look at.
//!
//! ```
//! use axum::body::{Body, Bytes};
//! use axum::http::Request;
//! use axum::{Router, routing::post};
//! use http_body_util::BodyExt;
//! use tower::ServiceExt;
//! use tower_reconify::{Operation, ReconifyLayer, User, testing};
//!
//! async fn chat(_request: Bytes) -> &'static str {
//!     r#"{"choices":[]}"#
//! }
//!
//! /// The application, with the layer passed in.
//! fn app(reconify: ReconifyLayer) -> Router {
//!     Router::new().route("/v1/chat/completions", post(chat)).layer(reconify)
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let (reconify, mut reports) = testing::recording();
//! let mut request = Request::post("/v1/chat/completions").body(Body::from(r#"{"model":"m"}"#))?;
//! request.extensions_mut().insert(User::new("alice"));
//! let response = app(reconify).oneshot(request).await?;
//! response.into_body().collect().await?; // an exchange ends with its response
//!
//! let report = reports.next().await?;
//! assert_eq!(report.user_id(), Some("alice"));
//! assert_eq!(report.operation(), Some(Operation::Chat));
//! assert_eq!(report.request()["model"], "m");
//! reports.none().await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! The layer needs no keys and no network, and works with any runtime and with a paused clock. To
//! test routes, hooks and other settings too, pass them to [`recording_with`]. The chapter
//! [Testing](https://docs.rs/tower-reconify/latest/tower_reconify/guide/testing/index.html)
//! tests that a whole application reports the right user.

use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;
use tower::service_fn;

use crate::config::{Config, ConfigBuilder};
use crate::error::Error;
use crate::identity::{Session, User};
use crate::interaction::InteractionKind;
use crate::middleware::ReconifyLayer;
use crate::provider::operation::Operation;
use crate::report::Report;
use crate::reporter::Reporter;
use crate::stats::{DropReason, Stats, WithholdReason};

/// How long a test waits for a report, unless it says otherwise: far longer than a report takes.
const LIMIT: Duration = Duration::from_secs(5);

/// A layer with default settings, and the reports that it makes.
pub fn recording() -> (ReconifyLayer, Reports) {
    record(Config::recording())
}

/// As [`recording`], with settings of the application. Its keys, endpoints and spool are not used.
///
/// ```
/// use tower_reconify::{Config, Operation, testing};
///
/// let settings = Config::builder("", "").route("/ask", Operation::Chat);
/// let (reconify, reports) = testing::recording_with(settings)?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
///
/// # Errors
///
/// If a setting is not valid.
pub fn recording_with(settings: ConfigBuilder) -> Result<(ReconifyLayer, Reports), Error> {
    let config = settings.keys("testing", "testing").disabled(false).build()?;
    // Other tests would share the folder.
    Ok(record(Config { spool: None, ..config }))
}

fn record(config: Config) -> (ReconifyLayer, Reports) {
    let (sender, received) = mpsc::unbounded_channel();
    let transport = service_fn(move |report: Report| {
        // Uploads of images are no reports of their own. Without a receiver the test has ended.
        if !report.is_image_upload() {
            drop(sender.send(report));
        }
        ready(Ok::<_, std::convert::Infallible>(()))
    });
    let layer = ReconifyLayer::with_transport(config, transport);
    let reports = Reports { reporter: layer.reporter(), received, limit: LIMIT };
    (layer, reports)
}

/// The reports of a recording layer, in the order in which their exchanges ended. Hooks run two at
/// once, so with a hook the order of exchanges that end at the same time can change.
#[derive(Debug)]
pub struct Reports {
    reporter: Reporter,
    received: mpsc::UnboundedReceiver<Report>,
    limit: Duration,
}

impl Reports {
    /// Sets how long [`next`](Self::next) and [`none`](Self::none) wait. Default: 5 s.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The next report. It arrives once its exchange has ended: when the response has been read to
    /// its end, or was dropped.
    ///
    /// # Errors
    ///
    /// If no report arrives within the [limit](Self::within). The error explains why, if possible.
    pub async fn next(&mut self) -> Result<RecordedReport, Unexpected> {
        let limit = Instant::now().checked_add(self.limit);
        let alarm = async {
            match limit {
                Some(limit) => self.reporter.alarm(limit).await,
                None => std::future::pending().await,
            }
        };
        let mut alarm = pin!(alarm);
        let next = poll_fn(|cx| match self.received.poll_recv(cx) {
            Poll::Ready(report) => Poll::Ready(report),
            Poll::Pending => alarm.as_mut().poll(cx).map(|()| None),
        });
        match next.await {
            Some(report) => Ok(RecordedReport::new(report)),
            None => Err(Unexpected(self.explain())),
        }
    }

    /// Checks that nothing more is reported for what has happened so far.
    ///
    /// # Errors
    ///
    /// If there is a report, or an exchange that has not ended, so that its report may follow.
    pub async fn none(&mut self) -> Result<(), Unexpected> {
        self.reporter.flush(self.limit).await;
        match self.received.try_recv() {
            Ok(report) => {
                let report = RecordedReport::new(report);
                let (kind, user) = (report.report.kind(), report.user_id());
                let kind = kind.map_or("interaction", InteractionKind::as_str);
                Err(Unexpected(format!("there is a report: a {kind} of {}", user.unwrap_or("nobody"))))
            }
            Err(_) if self.reporter.stats().unsettled() > 0 => Err(Unexpected(self.explain())),
            Err(_) => Ok(()),
        }
    }

    /// The counts of the layer.
    pub fn stats(&self) -> Stats {
        self.reporter.stats()
    }

    /// Why there is no report.
    fn explain(&self) -> String {
        let stats = self.reporter.stats();
        let open = self.reporter.exchanges_open();
        let withheld: Vec<_> = WithholdReason::ALL
            .iter()
            .filter(|reason| stats.withheld(**reason) > 0)
            .map(|reason| format!("{} {reason}", stats.withheld(*reason)))
            .collect();
        let dropped: Vec<_> = DropReason::ALL
            .iter()
            .filter(|reason| stats.dropped(**reason) > 0)
            .map(|reason| format!("{} {reason}", stats.dropped(*reason)))
            .collect();
        let mut reasons = Vec::new();
        match open {
            0 => {}
            1 => reasons.push("1 exchange is captured, its response has not been read to its end".to_owned()),
            _ => reasons.push(format!(
                "{open} exchanges are captured, their responses have not been read to their end"
            )),
        }
        match stats.unsettled().saturating_sub(open as u64) {
            0 => {}
            pending => reasons.push(format!("{pending} of those captured are not reported yet")),
        }
        if !withheld.is_empty() {
            reasons.push(format!("withheld: {}", withheld.join(", ")));
        }
        if !dropped.is_empty() {
            reasons.push(format!("dropped: {}", dropped.join(", ")));
        }
        if stats.captured == 0 {
            let hint =
                "no request was captured: its path is of no captured operation, or it did not pass the layer";
            reasons.push(hint.to_owned());
        } else if reasons.is_empty() {
            reasons.push(format!(
                "{} exchanges were captured, and all reports of them were taken",
                stats.captured
            ));
        }
        format!("there is no report; {}", reasons.join("; "))
    }
}

/// A report that a test looks at.
#[derive(Clone, Debug)]
pub struct RecordedReport {
    report: Report,
    json: Value,
}

impl RecordedReport {
    fn new(report: Report) -> Self {
        let json = serde_json::from_str(report.json()).unwrap_or_default();
        Self { report, json }
    }

    /// The user's id, or `None` for no user or one with an address only.
    pub fn user_id(&self) -> Option<&str> {
        self.report.user().and_then(User::id)
    }

    /// The session's id.
    pub fn session_id(&self) -> Option<&str> {
        self.report.session().and_then(Session::id)
    }

    /// The called operation.
    pub fn operation(&self) -> Option<Operation> {
        self.report.operation()
    }

    /// The request, as reported.
    pub fn request(&self) -> &Value {
        self.json.get("request").unwrap_or(&Value::Null)
    }

    /// The response, as reported. A stream is the object of the call without streaming.
    pub fn response(&self) -> &Value {
        self.json.get("response").unwrap_or(&Value::Null)
    }

    /// The whole payload.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The report as a transport gets it.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// A test expected other reports. `Debug` shows the same text, for `unwrap` and tests that return it.
#[derive(Clone, PartialEq, Eq)]
pub struct Unexpected(String);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unexpected {}

#[cfg(test)]
mod tests;
