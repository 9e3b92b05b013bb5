//! What several test files need: a layer whose reports can be read, the examples as
//! processes, and the gateway between servers of the test.

#![allow(unreachable_pub, reason = "shared by the test files as a module of each")]
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

pub mod cuttings;
pub mod example;
pub mod gateway;
pub mod responses;
pub mod scripted;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, ReconifyLayer, Report, RequestBody, ResponseBody, Stats};

/// Long beside everything that a test waits for: it is only reached when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration with the test's keys.
pub fn config() -> Config {
    Config::builder("test-app-key", "test-api-key").endpoint("http://127.0.0.1:9/track").build().unwrap()
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
        report.expect("a report in time").expect("the worker lives").json().to_owned()
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

/// The counts, once every exchange that was begun has ended and is settled.
pub async fn at_rest(layer: &ReconifyLayer) -> Stats {
    let is_at_rest = async {
        loop {
            layer.reporter().flush(PATIENCE).await;
            let stats = layer.reporter().stats();
            if stats.pending == 0 {
                return stats;
            }
            tokio::task::yield_now().await;
        }
    };
    let stats = tokio::time::timeout(PATIENCE, is_at_rest).await.expect("everything ends in time");
    assert_accounted(&stats);
    assert_eq!(stats.bytes_held, 0);
    stats
}

/// Asserts promise 4, for a reporter at rest.
#[track_caller]
pub fn assert_accounted(stats: &Stats) {
    assert_eq!(stats.captured, stats.settled() + stats.unsettled(), "{stats}");
}

/// The text of a field of a report, as it stands there.
pub fn field<'a>(report: &'a str, name: &str) -> &'a str {
    let fields: std::collections::HashMap<&str, &RawValue> = serde_json::from_str(report).unwrap();
    fields[name].get()
}

/// An exchange whose answer is there, and not read.
pub async fn begin(layer: &ReconifyLayer, response: Response<Body>) -> Response<ResponseBody<Body>> {
    begin_with(layer, chat(), response).await
}

pub async fn begin_with(
    layer: &ReconifyLayer,
    request: Request<Body>,
    response: Response<Body>,
) -> Response<ResponseBody<Body>> {
    let mut response = Some(response);
    let inner = service_fn(move |request: Request<RequestBody<Body>>| {
        let response = response.take().expect("one request");
        async {
            request.into_body().collect().await.expect("the request's body is whole");
            Ok::<_, Infallible>(response)
        }
    });
    layer.layer(inner).oneshot(request).await.unwrap()
}

/// Sends a request through the layer to a service that answers with `response`, and reads the answer to its end.
pub async fn exchange(observed: &Observed, request: Request<Body>, response: Response<Body>) -> Bytes {
    let answer = begin_with(&observed.layer, request, response).await;
    answer.into_body().collect().await.expect("the answer's body is whole").to_bytes()
}

pub fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).header(CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

pub fn chat() -> Request<Body> {
    post("/v1/chat/completions", CHAT)
}

pub fn json(body: impl Into<Body>) -> Response<Body> {
    Response::builder().header(CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

/// A stream of these events, cut into frames of a few bytes.
pub fn events(data: &[&str]) -> Response<Body> {
    let text: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
    let frames: Vec<_> =
        text.as_bytes().chunks(7).map(|frame| Ok::<_, Infallible>(Bytes::copy_from_slice(frame))).collect();
    let body = Body::from_stream(futures_util::stream::iter(frames));
    Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).unwrap()
}

/// A chunk of a chat, with this delta.
pub fn delta(delta: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
    )
}

pub const CHAT: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Tell a cat joke"}]}"#;
pub const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Meow."},"finish_reason":"stop"}]}"#;
