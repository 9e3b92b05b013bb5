//! What the layer adds on the caller's task, in instructions: run under callgrind by `.ci/instructions`.
//!
//! `instructions SCENARIO VARIANT EXCHANGES` drives so many exchanges through `measured`, which is where callgrind counts;
//! what the worker does meanwhile on its thread is not the caller's. Without arguments it does nothing: times mean
//! nothing here.

#![allow(clippy::panic, reason = "a measurement that is not one must not look like one")]

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::{Layer, Service, service_fn};
use tower_http::trace::TraceLayer;
use tower_reconify::{Config, ReconifyLayer, Report, Session, User};

/// What is sent and answered.
#[derive(Clone)]
struct Scenario {
    path: &'static str,
    request: Bytes,
    content_type: HeaderValue,
    frame: Bytes,
    frames: usize,
}

/// A body of equal frames, each of which is there when it is asked for.
struct Frames {
    frame: Bytes,
    left: usize,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.frame.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.left * self.frame.len()) as u64)
    }
}

fn scenario(name: &str) -> Option<Scenario> {
    let json = |size: usize| {
        let head = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":""#;
        Bytes::from(format!("{head}{}\"}}}}]}}", "x".repeat(size.saturating_sub(head.len() + 5))))
    };
    let event = |size: usize| {
        let head =
            r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
        Bytes::from(format!("{head}{}\"}}}}]}}\n\n", "x".repeat(size.saturating_sub(head.len() + 7))))
    };
    let chat = "/v1/chat/completions";
    let (path, size, content_type, frame, frames) = match name {
        "json-1k" => (chat, 1_024, "application/json", json(1_024), 1),
        "json-16k" => (chat, 16_384, "application/json", json(16_384), 1),
        "stream-200" => (chat, 1_024, "text/event-stream", event(200), 200),
        "stream-2000" => (chat, 1_024, "text/event-stream", event(200), 2_000),
        "uncaptured" => ("/v1/models", 1_024, "application/json", json(1_024), 1),
        _ => return None,
    };
    let content_type = HeaderValue::from_static(content_type);
    Some(Scenario { path, request: json(size), content_type, frame, frames })
}

/// A service that reads the request and answers.
fn inner<B>(
    scenario: Scenario,
) -> impl Service<Request<B>, Response = Response<Frames>, Error = Infallible> + Clone
where
    B: Body<Data = Bytes>,
{
    service_fn(move |request: Request<B>| {
        let mut response = Response::new(Frames { frame: scenario.frame.clone(), left: scenario.frames });
        response.headers_mut().insert(CONTENT_TYPE, scenario.content_type.clone());
        async move {
            drain(request.into_body()).await;
            Ok(response)
        }
    })
}

async fn drain(body: impl Body<Data = Bytes>) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        black_box(frame);
    }
}

fn request(scenario: &Scenario) -> Request<Frames> {
    let body = Frames { frame: scenario.request.clone(), left: 1 };
    let mut request = Request::post(scenario.path).body(body).unwrap_or_else(|error| panic!("{error}"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.extensions_mut().insert(User::new("user-42"));
    request.extensions_mut().insert(Session::new("session-7"));
    request
}

/// One exchange, read to its end. Callgrind counts what happens in here.
#[inline(never)]
fn measured<S, R>(service: &S, request: Request<Frames>)
where
    S: Service<Request<Frames>, Response = Response<R>, Error = Infallible> + Clone,
    R: Body<Data = Bytes>,
{
    let mut service = service.clone();
    let exchange = async move {
        let Ok(()) = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
        let Ok(response) = service.call(request).await;
        drain(response.into_body()).await;
    };
    let exchange = pin!(exchange);
    assert!(exchange.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// Exchanges one after another, with time for the worker after each 32: it keeps up, as it does in a service at any load
/// that it can bear. What is waited for is not counted.
fn run<S, R>(service: &S, scenario: &Scenario, exchanges: usize, wait: impl Fn())
where
    S: Service<Request<Frames>, Response = Response<R>, Error = Infallible> + Clone,
    R: Body<Data = Bytes>,
{
    for exchange in 1..=exchanges {
        measured(service, request(scenario));
        if exchange % 32 == 0 {
            wait();
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, variant, exchanges] = &arguments[..] else { return };
    let scenario = scenario(name).unwrap_or_else(|| panic!("{name} is no scenario"));
    let exchanges = exchanges.parse().unwrap_or_else(|_| panic!("{exchanges} is no number"));
    match variant.as_str() {
        "bare" => run(&inner(scenario.clone()), &scenario, exchanges, || ()),
        "trace" => {
            run(&TraceLayer::new_for_http().layer(inner(scenario.clone())), &scenario, exchanges, || ());
        }
        "reconify" => {
            let config = Config::builder("app", "key").max_bytes(1 << 30).max_items(1_000_000).build();
            let sink = service_fn(|report: Report| {
                black_box(report);
                std::future::ready(Ok::<_, Infallible>(()))
            });
            let layer = ReconifyLayer::with_transport(config.unwrap_or_else(|error| panic!("{error}")), sink);
            let reporter = layer.reporter();
            let flush = || futures_executor::block_on(reporter.flush(Duration::from_secs(600)));
            run(&layer.layer(inner(scenario.clone())), &scenario, exchanges, || _ = flush());
            let flushed = flush();
            let expected = if scenario.path.ends_with("/models") { 0 } else { exchanges as u64 };
            let stats = reporter.stats();
            assert_eq!(
                (stats.delivered, flushed.pending),
                (expected, 0),
                "what was measured was reported: {stats}"
            );
        }
        _ => panic!("{variant} is none of bare, trace, reconify"),
    }
}
