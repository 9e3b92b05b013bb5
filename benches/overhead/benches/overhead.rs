//! The time that an exchange takes: bare, with `TraceLayer`, and with this layer. Around a plain Tower service and in an
//! Axum router, for JSON and for a stream.
//!
//! Each variant gets the same pause after a few exchanges, in which a worker reports. The worker's time is not the
//! caller's, but a thread that has waited finds its caches colder.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;
use tower_reconify::{Config, ReconifyLayer, Report, Reporter, Session, User};

const PATH: &str = "/v1/chat/completions";

/// Exchanges between two pauses.
const BATCH: u64 = 32;

/// An answer to every request.
#[derive(Clone, Copy)]
struct Answer {
    name: &'static str,
    content_type: &'static str,
    frame: &'static str,
    frames: usize,
}

const ANSWERS: [Answer; 2] = [
    Answer {
        name: "JSON",
        content_type: "application/json",
        frame: r#"{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Meow."},"finish_reason":"stop"}]}"#,
        frames: 1,
    },
    Answer {
        name: "stream of 200 events",
        content_type: "text/event-stream",
        frame: "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Meow. \"},\"finish_reason\":null}]}\n\n",
        frames: 200,
    },
];

impl Answer {
    fn response(self) -> Response<Body> {
        let frame = Bytes::from_static(self.frame.as_bytes());
        let body = match self.frames {
            1 => Body::from(frame),
            frames => {
                let frames = std::iter::repeat_n(frame, frames);
                let frames = frames.map(|frame| Ok::<_, Infallible>(Frame::data(frame)));
                Body::new(StreamBody::new(stream::iter(frames)))
            }
        };
        Response::builder().header(CONTENT_TYPE, self.content_type).body(body).expect("a response")
    }
}

fn request() -> Request<Body> {
    const ASKED: &str =
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Tell a cat joke"}],"temperature":0.7}"#;
    let request = Request::post(PATH).header(CONTENT_TYPE, "application/json");
    let request = request.extension(User::new("user-42")).extension(Session::new("session-7"));
    request.body(Body::from(ASKED)).expect("a request")
}

async fn drain(body: impl http_body::Body<Error: std::fmt::Debug>) {
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        black_box(frame.expect("a whole body").into_data().ok());
    }
}

/// A service that reads the request and answers.
fn service<B>(
    answer: Answer,
) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Send,
{
    service_fn(move |request: Request<B>| async move {
        drain(request.into_body()).await;
        Ok(answer.response())
    })
}

fn router(answer: Answer) -> Router {
    let handler = async move |request: Request<Body>| {
        drain(request.into_body()).await;
        answer.response()
    };
    Router::new().route(PATH, post(handler))
}

/// The layer, whose reports end in its transport.
fn reconify() -> (ReconifyLayer, Reporter) {
    let transport = service_fn(|report: Report| {
        black_box(report);
        std::future::ready(Ok::<_, Infallible>(()))
    });
    let config = Config::builder("app-key", "api-key").build().expect("a configuration");
    let layer = ReconifyLayer::with_transport(config, transport);
    let reporter = layer.reporter();
    (layer, reporter)
}

/// Waits until everything is reported.
async fn flush(reporter: &Reporter) {
    let flushed = reporter.flush(Duration::from_secs(60)).await;
    let stats = reporter.stats();
    let is_reported = stats.delivered > 0 && stats.delivered == stats.captured;
    assert!(flushed.is_complete() && is_reported, "what was measured was reported: {stats}");
}

/// The time that a number of sequential exchanges takes.
async fn pass<S, B>(service: &S, exchanges: u64) -> Duration
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let requests: Vec<_> = (0..exchanges).map(|_| request()).collect();
    let started = Instant::now();
    for request in requests {
        let Ok(response) = service.clone().oneshot(request).await;
        drain(response.into_body()).await;
    }
    started.elapsed()
}

/// Measures a service, with a pause after each batch.
fn measure<S, B>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    service: &S,
    pause: impl AsyncFn(u64),
) where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|exchanges| {
            runtime.block_on(async {
                let mut took = Duration::ZERO;
                let mut left = exchanges;
                while left > 0 {
                    let batch = left.min(BATCH);
                    left -= batch;
                    took += pass(service, batch).await;
                    pause(batch).await;
                }
                took
            })
        });
    });
}

fn around_a_service(criterion: &mut Criterion) {
    compared(criterion, "Tower service", |answer, layer| {
        (service(answer), TraceLayer::new_for_http().layer(service(answer)), layer.layer(service(answer)))
    });
}

fn in_a_router(criterion: &mut Criterion) {
    compared(criterion, "Axum router", |answer, layer| {
        let router = || router(answer);
        (
            router().with_state::<()>(()),
            router().layer(TraceLayer::new_for_http()).with_state::<()>(()),
            router().layer(layer).with_state::<()>(()),
        )
    });
}

/// Measures what `variants` makes of an answer: bare, with `TraceLayer`, with this layer.
fn compared<A, B, C, AB, BB, CB>(
    criterion: &mut Criterion,
    place: &str,
    variants: impl Fn(Answer, ReconifyLayer) -> (A, B, C),
) where
    A: Service<Request<Body>, Response = Response<AB>, Error = Infallible> + Clone,
    B: Service<Request<Body>, Response = Response<BB>, Error = Infallible> + Clone,
    C: Service<Request<Body>, Response = Response<CB>, Error = Infallible> + Clone,
    AB: http_body::Body<Error: std::fmt::Debug>,
    BB: http_body::Body<Error: std::fmt::Debug>,
    CB: http_body::Body<Error: std::fmt::Debug>,
{
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    for answer in ANSWERS {
        let (layer, reporter) = reconify();
        let (bare, traced, reported) = variants(answer, layer);
        let pause = async |batch| {
            pass(&reported, batch).await;
            flush(&reporter).await;
        };
        let mut group = criterion.benchmark_group(format!("{place}, {}", answer.name));
        measure(&mut group, &runtime, "bare", &bare, pause);
        measure(&mut group, &runtime, "TraceLayer", &traced, pause);
        measure(&mut group, &runtime, "tower-reconify", &reported, async |_| flush(&reporter).await);
        group.finish();
    }
}

criterion_group!(benches, around_a_service, in_a_router);
criterion_main!(benches);
