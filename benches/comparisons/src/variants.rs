//! What may stand around a service that speaks with a model.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use bytes::Bytes;
use outlet::{RequestData, RequestHandler, RequestLoggerConfig, RequestLoggerLayer, ResponseData};
use sentry_tower::{NewSentryLayer, SentryHttpLayer};
use tokio::runtime::Runtime;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;
use tower_reconify::{Config, Limits, ReconifyLayer, Report, Reporter};

use crate::exchange::Scenario;
use tower_reconify_instructions::frames::drain;

/// Runs a number of exchanges and returns the time.
pub type Run = Box<dyn FnMut(u32) -> Duration>;

/// The number of exchanges after which a reporting variant gets time to report.
const BATCH: u32 = 32;

/// What happens between batches of exchanges.
type Between = Box<dyn Fn(u32)>;

/// The variants: none first, then `TraceLayer`.
pub const NAMES: [&str; 6] = ["bare", "TraceLayer", "tower-reconify", "outlet", "sentry-tower", "tutorial"];

/// A variant by its name. Between batches it pauses, if asked for, as this crate's layer does.
pub fn named(name: &str, runtime: &'static Runtime, scenario: &Scenario, with_pauses: bool) -> Run {
    let s = scenario;
    let _guard = runtime.enter();
    let pause = || if with_pauses { pause(runtime, s) } else { Box::new(|_| ()) };
    match name {
        "bare" => run(runtime, s, s.service(), pause()),
        "TraceLayer" => run(runtime, s, TraceLayer::new_for_http().layer(s.service()), pause()),
        "tower-reconify" => ours(runtime, s),
        "outlet" => run(runtime, s, outlet().layer(s.service()), pause()),
        "sentry-tower" => run(runtime, s, sentry(s), pause()),
        "tutorial" => run(runtime, s, from_fn(tutorial).layer(s.service()), pause()),
        unknown => panic!("{unknown} is none of {NAMES:?}"),
    }
}

fn run<S, R>(runtime: &'static Runtime, scenario: &Scenario, service: S, between: Between) -> Run
where
    S: Service<Request, Response = http::Response<R>, Error = Infallible> + Clone + 'static,
    R: http_body::Body<Data = Bytes>,
{
    let scenario = scenario.clone();
    Box::new(move |exchanges| {
        let mut took = Duration::ZERO;
        let mut left = exchanges;
        while left > 0 {
            // With time for the worker, whose cost is not the caller's.
            let batch = left.min(BATCH);
            left -= batch;
            let requests: Vec<_> = (0..batch).map(|_| scenario.request()).collect();
            took += runtime.block_on(pass(&service, requests));
            between(batch);
        }
        took
    })
}

/// How long the exchanges take, one after the other.
async fn pass<S, R>(service: &S, requests: Vec<Request>) -> Duration
where
    S: Service<Request, Response = http::Response<R>, Error = Infallible> + Clone,
    R: http_body::Body<Data = Bytes>,
{
    let started = Instant::now();
    for request in requests {
        let Ok(response) = service.clone().oneshot(request).await;
        drain(response.into_body()).await;
    }
    started.elapsed()
}

/// The layer, which reports to nowhere; and its reporter.
pub fn reconify() -> (ReconifyLayer, Reporter) {
    let config = Config::builder("app", "key")
        .limits(Limits { bytes: 1 << 30, items: 1_000_000, ..Limits::default() })
        .build();
    let sink = service_fn(|report: Report| {
        black_box(report);
        std::future::ready(Ok::<_, Infallible>(()))
    });
    let layer = ReconifyLayer::with_transport(config.expect("a configuration"), sink);
    let reporter = layer.reporter();
    (layer, reporter)
}

fn ours(runtime: &'static Runtime, scenario: &Scenario) -> Run {
    let (layer, reporter) = reconify();
    let flushed = reporter.clone();
    let flush: Between = Box::new(move |_| {
        let flushed = runtime.block_on(flushed.flush(Duration::from_secs(60)));
        assert_eq!(flushed.pending, 0, "what was measured was reported");
    });
    let mut run = run(runtime, scenario, layer.layer(scenario.service()), flush);
    let (is_captured, mut all) = (scenario.is_captured(), 0);
    Box::new(move |exchanges| {
        let took = run(exchanges);
        all += u64::from(exchanges);
        let expected = if is_captured { all } else { 0 };
        assert_eq!(reporter.stats().delivered, expected, "what was measured was reported");
        took
    })
}

/// What happens between the batches of this crate's layer, for another variant: a thread that has waited for a worker finds
/// less of what it needs in its caches.
fn pause(runtime: &'static Runtime, scenario: &Scenario) -> Between {
    let (layer, reporter) = reconify();
    let (service, scenario) = (layer.layer(scenario.service()), scenario.clone());
    Box::new(move |batch| {
        let requests: Vec<_> = (0..batch).map(|_| scenario.request()).collect();
        runtime.block_on(pass(&service, requests));
        let flushed = runtime.block_on(reporter.flush(Duration::from_secs(60)));
        assert_eq!(flushed.pending, 0, "the worker has been busy");
    })
}

fn sentry(
    scenario: &Scenario,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<> {
    NewSentryLayer::<Request>::new_from_top().layer(SentryHttpLayer::new().layer(scenario.service()))
}

struct Nowhere;

impl RequestHandler for Nowhere {
    async fn handle_request(&self, data: RequestData) {
        black_box(data);
    }

    async fn handle_response(&self, request: RequestData, response: ResponseData) {
        black_box((request, response));
    }
}

/// outlet, which hands to nowhere.
pub fn outlet() -> RequestLoggerLayer {
    let config =
        RequestLoggerConfig { capture_request_body: true, capture_response_body: true, ..Default::default() };
    RequestLoggerLayer::new(config, Nowhere)
}

/// As tutorials write it: both bodies are collected and parsed, and a task is spawned that would send them.
pub async fn tutorial(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let asked = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let response = next.run(Request::from_parts(head, Body::from(asked.clone()))).await;
    let (head, body) = response.into_parts();
    let answered = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let copy = answered.clone();
    tokio::spawn(async move {
        let parse = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        let chunks =
            copy.split(|byte| *byte == b'\n').filter_map(|line| parse(line.strip_prefix(b"data: ")?));
        black_box((parse(&asked), parse(&copy), chunks.collect::<Vec<_>>()));
    });
    Response::from_parts(head, Body::from(answered))
}
