//! What an exchange allocates on the caller's task, and what is held of a body that is under way, beside what others do:
//! `cargo bench --manifest-path benches/comparisons/Cargo.toml --bench allocations`.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::measure;
use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tower::{Layer, Service, ServiceExt};
use tower_reconify_comparisons::exchange::{Scenario, streamed, unstreamed};
use tower_reconify_comparisons::polled::Polled;
use tower_reconify_comparisons::variants::{NAMES, Run, named, reconify};
use tower_reconify_instructions::frames::{drain, event};

fn main() {
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new().expect("a runtime")));
    println!("| | variant | allocations an exchange | added |\n| --- | --- | --- | --- |");
    for scenario in [unstreamed("JSON, 1 KiB", 1_024), streamed("stream of 2,000 frames", 2_000)] {
        let mut bare = 0.0;
        for name in NAMES {
            let count = allocations(named(name, runtime, &scenario, false), &scenario);
            bare = if name == "bare" { count } else { bare };
            println!("| {} | {name} | {count:.1} | {:.1} |", scenario.name, count - bare);
        }
    }
    held();
    capped(runtime);
}

/// What an exchange allocates on this thread, once everything that is made once is there.
fn allocations(mut run: Run, scenario: &Scenario) -> f64 {
    const EXCHANGES: u32 = 64;
    run(EXCHANGES);
    let all = measure(|| _ = run(EXCHANGES)).count_total as f64 / f64::from(EXCHANGES);
    // Requests are made here too.
    let made = measure(|| drop(std::hint::black_box(scenario.request()))).count_total as f64;
    all - made
}

/// How much is held of a stream that trickles in over HTTP/1, a byte of it, while it is under way.
fn held() {
    const FRAMES: usize = 2_000;
    let frame = event(200);
    let payload = (FRAMES * frame.len()) as f64;
    let [without, with, by_reference] = [Keep::Nothing, Keep::InLayer, Keep::Frames].map(|keep| {
        let info = measure(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let held = runtime.block_on(trickled(keep, frame.clone(), FRAMES));
            // What the exchange holds lives on, and so does its connection.
            std::mem::forget((held, runtime));
        });
        info.bytes_current as f64
    });
    println!("\n| held of a stream that trickles in, a byte of it | |\n| --- | --- |");
    println!("| tower-reconify | {:.2} |", (with - without) / payload);
    println!("| its frames kept as `Bytes` | {:.2} |", (by_reference - without) / payload);
}

/// How much is held at most of an answer, each frame of which has memory of its own.
fn capped(runtime: &Runtime) {
    println!("\n| answer | MiB | MiB held at most |\n| --- | --- | --- |");
    let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    for (size, frames) in
        [(200, 1_000), (200, 10_000), (200, 100_000), (65_536, 16), (65_536, 128), (65_536, 1_024)]
    {
        let upstream = tower::service_fn(move |_| {
            let (frame, mut left) = (event(size), frames);
            let body = Polled(move |_: &mut Context<'_>| {
                let is_left = left > 0;
                left = usize::saturating_sub(left, 1);
                Poll::Ready(is_left.then(|| Bytes::copy_from_slice(&frame)))
            });
            let response = Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body);
            std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
        });
        let (layer, reporter) = reconify();
        let request = Request::post("/v1/chat/completions").body(Body::from("{}")).expect("a request");
        let held = measure(|| {
            runtime.block_on(async {
                let Ok(response) = layer.layer(upstream).oneshot(request).await;
                drain(response.into_body()).await;
            });
        });
        runtime.block_on(reporter.flush(Duration::from_secs(60)));
        assert_eq!(reporter.stats().delivered, 1, "what was measured was reported");
        let (all, held) = (mebibytes(size * frames), mebibytes(held.bytes_max as usize));
        println!("| {frames} frames of {size} bytes | {all:.1} | {held:.1} |");
    }
}

#[derive(Clone, Copy)]
enum Keep {
    Nothing,
    InLayer,
    Frames,
}

/// Reads a stream, a frame a write, up to its last frame; returns what is alive then.
async fn trickled(keep: Keep, frame: Bytes, frames: usize) -> Box<dyn std::any::Any> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tick, mut ticks) = tokio::sync::mpsc::channel::<()>(1);
    let answer = frame.clone();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let (body, sender) = channel(answer);
        let body = std::sync::Mutex::new(Some(body));
        let service = service_fn(move |_: Request<hyper::body::Incoming>| {
            let body = body.lock().ok().and_then(|mut body| body.take()).unwrap_or_default();
            let response = Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body);
            std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
        });
        tokio::spawn(async move {
            while ticks.recv().await.is_some() {
                if sender.send(()).await.is_err() {
                    break;
                }
            }
        });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let sender = std::sync::Arc::new(tokio::sync::Mutex::new(sender));
    let client = tower::service_fn(move |request: Request<Body>| {
        let sender = sender.clone();
        async move { sender.lock().await.send_request(request).await }
    });
    let request = Request::post("/v1/chat/completions").body(Body::from("{}")).expect("a request");
    let (layer, _) = reconify();
    let mut body = match keep {
        Keep::InLayer => {
            let client = tower::util::MapRequest::new(client, |request: Request<_>| request.map(Body::new));
            Body::new(layer.layer(client).oneshot(request).await.expect("an answer").into_body())
        }
        Keep::Nothing | Keep::Frames => Body::new(
            { client }.ready().await.expect("a client").call(request).await.expect("an answer").into_body(),
        ),
    };
    let mut kept = Vec::with_capacity(frames);
    for _ in 0..frames {
        tick.send(()).await.expect("the upstream is there");
        let mut left = frame.len();
        while left > 0 {
            let data =
                body.frame().await.expect("a frame").expect("no error").into_data().unwrap_or_default();
            left -= data.len();
            if matches!(keep, Keep::Frames) {
                kept.push(data);
            }
        }
    }
    tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await.unwrap_or_default();
    Box::new((body, kept, tick, layer))
}

/// A body that gives a frame for each tick.
fn channel(frame: Bytes) -> (Body, tokio::sync::mpsc::Sender<()>) {
    let (sender, mut ticks) = tokio::sync::mpsc::channel::<()>(1);
    let body =
        Polled(move |cx: &mut Context<'_>| ticks.poll_recv(cx).map(|tick| tick.map(|()| frame.clone())));
    (Body::new(body), sender)
}
