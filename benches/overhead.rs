//! What an exchange costs the caller: without a layer, with `TraceLayer`, with a middleware as tutorials write it, and
//! with the layer of this crate.
//!
//! Compare the figures of one run with each other only: times on a shared machine say nothing by themselves.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use axum::body::{Body, Bytes};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::runtime::Runtime;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::trace::TraceLayer;
use tower_reconify::{Config, ReconifyLayer, Report, Session, User};

/// An exchange to measure: what the service answers.
#[derive(Clone)]
struct Case {
    name: &'static str,
    request: Bytes,
    frames: Vec<Bytes>,
    content_type: &'static str,
}

type Answer =
    StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<http_body::Frame<Bytes>, Infallible>>>>;

fn cases() -> Vec<Case> {
    let json = |size: usize| {
        let filler = "x".repeat(size.saturating_sub(80));
        Bytes::from(format!(
            r#"{{"id":"c","messages":[],"choices":[{{"index":0,"message":{{"content":"{filler}"}}}}]}}"#
        ))
    };
    let event = Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(80)
    ));
    let stream = |frames: usize| vec![event.clone(); frames];
    vec![
        Case {
            name: "json_1k",
            request: json(1024),
            frames: vec![json(1024)],
            content_type: "application/json",
        },
        Case {
            name: "json_16k",
            request: json(16 * 1024),
            frames: vec![json(16 * 1024)],
            content_type: "application/json",
        },
        Case {
            name: "stream_200",
            request: json(1024),
            frames: stream(200),
            content_type: "text/event-stream",
        },
        Case {
            name: "stream_2000",
            request: json(1024),
            frames: stream(2_000),
            content_type: "text/event-stream",
        },
    ]
}

/// A service that reads the request and gives the answer of the case.
fn inner<B>(
    case: &Case,
) -> impl Service<Request<B>, Response = Response<Answer>, Error = Infallible, Future: Send> + Clone + use<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let case = case.clone();
    service_fn(move |request: Request<B>| {
        let frames: Vec<_> =
            case.frames.iter().cloned().map(|frame| Ok(http_body::Frame::data(frame))).collect();
        let content_type = case.content_type;
        async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                black_box(frame);
            }
            let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
            response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
            Ok(response)
        }
    })
}

fn request(case: &Case) -> Request<Full<Bytes>> {
    let mut request = Request::post("/v1/chat/completions")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(case.request.clone()))
        .unwrap_or_default();
    request.extensions_mut().insert(User::new("user-42"));
    request.extensions_mut().insert(Session::new("session-7"));
    request
}

/// One exchange, read to its end.
async fn drive<S, R>(service: S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    R: http_body::Body<Data = Bytes>,
{
    let Ok(response) = service.oneshot(request).await;
    let mut body = std::pin::pin!(response.into_body());
    while let Some(Ok(frame)) = body.frame().await {
        black_box(frame);
    }
}

/// What tutorials do: collect both bodies, parse them, and spawn a task that would send them.
async fn tutorial<S>(mut service: S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<Answer>, Error = Infallible>,
{
    let (parts, body) = request.into_parts();
    let Ok(asked) = body.collect().await.map(http_body_util::Collected::to_bytes);
    let Ok(response) = service.call(Request::from_parts(parts, Full::new(asked.clone()))).await;
    let Ok(answered) = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let copy = answered.clone();
    tokio::spawn(async move {
        let parse = |bytes: &Bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        black_box((parse(&asked), parse(&copy)));
    });
    drop(black_box(Body::from(answered)));
}

fn overhead(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else { return };
    let sink = service_fn(|report: Report| {
        black_box(report);
        std::future::ready(Ok::<_, Infallible>(()))
    });
    let Ok(config) = Config::builder("app", "key").build() else { return };
    let reconify = ReconifyLayer::with_transport(config, sink);
    let mut group = criterion.benchmark_group("overhead");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    for case in cases() {
        group.throughput(Throughput::Elements(case.frames.len() as u64));
        group.bench_function(BenchmarkId::new("bare", case.name), |bencher| {
            bencher.to_async(&runtime).iter(|| drive(inner(&case), request(&case)));
        });
        group.bench_function(BenchmarkId::new("trace_layer", case.name), |bencher| {
            let layer = TraceLayer::new_for_http();
            bencher.to_async(&runtime).iter(|| drive(layer.layer(inner(&case)), request(&case)));
        });
        group.bench_function(BenchmarkId::new("tutorial", case.name), |bencher| {
            bencher.to_async(&runtime).iter(|| tutorial(inner(&case), request(&case)));
        });
        group.bench_function(BenchmarkId::new("reconify", case.name), |bencher| {
            bencher.to_async(&runtime).iter(|| drive(reconify.layer(inner(&case)), request(&case)));
        });
    }
    group.finish();
    let flushed = runtime.block_on(reconify.reporter().flush(Duration::from_secs(30)));
    assert_eq!(flushed.pending, 0, "what was measured was reported");
    println!("{}", reconify.reporter().stats());
}

criterion_group!(benches, overhead);
criterion_main!(benches);
