//! Promise 7: keys and bodies appear in no log, error or `Debug` output.
//! A binary of its own, because it installs a global subscriber that takes every line.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use support::gateway::serve;
use support::{ANSWER, PATIENCE, chat};
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, Interaction, InteractionKind, ReconifyLayer, Report, RequestBody, User};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

const SECRETS: [&str; 6] =
    ["SECRET-APP", "SECRET-API", "SECRET-PASSWORD", "SECRET-QUERY", "Tell a cat joke", "Meow."];

#[track_caller]
fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// The whole log of everything in the process, down to the smallest detail of the HTTP client.
#[tokio::test]
async fn no_log_line_and_no_debug_output_has_a_key_or_a_body() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    let refusing =
        serve(Router::new().fallback(async || (StatusCode::NOT_FOUND, "you sent: SECRET-API"))).await;
    let endpoint = format!("http://user:SECRET-PASSWORD@{refusing}/track?token=SECRET-QUERY");
    let config = Config::builder("SECRET-APP", "SECRET-API").endpoint(endpoint).build().unwrap();
    assert_no_secret(&format!("{config:?}"));
    let layer = ReconifyLayer::new(config);
    let inner = service_fn(async |request: axum::http::Request<RequestBody<Body>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, std::convert::Infallible>(support::json(ANSWER))
    });
    let service = layer.layer(inner);
    assert_no_secret(&format!("{layer:?} {:?}", layer.reporter()));
    let mut body = service.oneshot(chat()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert_no_secret(&format!("{body:?}"));
    drop(body);
    assert_eq!(layer.reporter().flush(PATIENCE).await.pending, 0);
    assert_eq!(layer.reporter().stats().rejected, 1);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let cause = format!(
        "lost=1 error=\"the collector rejected the report (status 404): http://{refusing}/track takes no reports: \
         the path of Reconify is /track\""
    );
    let line = log.lines().find(|line| line.contains("reports were lost"));
    assert!(line.is_some_and(|line| line.contains(&cause)), "the rejection is logged: {line:?}");
    assert_no_secret(&log);
}

#[tokio::test]
async fn a_report_and_an_interaction_show_no_content() {
    let interaction =
        Interaction::new(InteractionKind::Chat, "Tell a cat joke", "Meow.").unwrap().user(User::new("u"));
    assert_no_secret(&format!("{interaction:?}"));
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let layer = ReconifyLayer::with_transport(
        Config::builder("SECRET-APP", "SECRET-API").build().unwrap(),
        service_fn(move |report: Report| std::future::ready(sender.send(report))),
    );
    layer.reporter().report(interaction);
    let report = tokio::time::timeout(PATIENCE, reports.recv()).await.unwrap().unwrap();
    assert_no_secret(&format!("{report:?}"));
    assert!(!report.json().contains("SECRET"), "a report holds no keys");
}
