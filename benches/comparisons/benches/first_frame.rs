//! When a client has the first frame of a stream that trickles in over HTTP/1, with and without what stands around the
//! service: `cargo bench --manifest-path benches/comparisons/Cargo.toml --bench first_frame`.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use tokio::time::sleep;
use tower::util::MapRequestLayer;
use tower_http::trace::TraceLayer;
use tower_reconify::Reporter;
use tower_reconify_comparisons::polled::Polled;
use tower_reconify_comparisons::rounds::median;
use tower_reconify_comparisons::variants::{outlet, reconify, tutorial};
use tower_reconify_instructions::frames::{event, json};

const FRAMES: usize = 10;

/// Before a frame.
const PAUSE: Duration = Duration::from_millis(1);

const ROUNDS: usize = 251;

#[tokio::main]
async fn main() {
    println!("| the first of {FRAMES} frames | | µs, median | against bare |\n| --- | --- | --- | --- |");
    measure("which come after a pause each", Some(PAUSE)).await;
    measure("of which it comes at once", None).await;
}

async fn measure(when: &str, first: Option<Duration>) {
    let (layer, reporter) = reconify();
    let route = || upstream(first);
    let variants = [
        ("bare", route()),
        // How far apart two are that are the same.
        ("bare again", route()),
        ("an empty layer", route().layer(MapRequestLayer::new(|request: Request| request))),
        ("TraceLayer", route().layer(TraceLayer::new_for_http())),
        ("tower-reconify", route().layer(layer)),
        ("outlet", route().layer(outlet())),
        ("tutorial", route().layer(from_fn(tutorial))),
    ];
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut served = Vec::new();
    for (name, router) in variants {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1/chat/completions", listener.local_addr().expect("an address"));
        tokio::spawn(axum::serve(listener, router).into_future());
        // Connected beforehand.
        first_frame(&client, &url).await;
        served.push((name, url, Vec::new()));
    }
    let count = served.len();
    for round in 0..ROUNDS {
        for turn in 0..count {
            // Neither always in the same order nor always after the same one: their number is prime.
            let place = (turn * (1 + round % (count - 1)) + round) % count;
            if let Some((_, url, times)) = served.get_mut(place) {
                times.push(first_frame(&client, url).await);
            }
        }
    }
    all_were_reported(&reporter).await;
    let medians = served.into_iter().map(|(name, _, times)| (name, median(times)));
    let mut bare = None;
    for (name, seconds) in medians {
        let against = seconds / *bare.get_or_insert(seconds);
        println!("| {when} | {name} | {:.0} | {against:.2} |", seconds * 1e6);
    }
}

/// What was measured was reported.
async fn all_were_reported(reporter: &Reporter) {
    let flushed = reporter.flush(Duration::from_secs(60)).await;
    assert_eq!((flushed.pending, reporter.stats().delivered), (0, ROUNDS as u64 + 1));
}

/// Seconds from the request to the first frame. The rest is read, too.
async fn first_frame(client: &reqwest::Client, url: &str) -> f64 {
    let request = client.post(url).header("content-type", "application/json").body(json(1_024));
    let started = Instant::now();
    let mut response = request.send().await.expect("an answer");
    let first = response.chunk().await.expect("no error");
    let took = started.elapsed();
    assert!(first.is_some());
    while response.chunk().await.expect("no error").is_some() {}
    took.as_secs_f64()
}

/// A route that reads the request and trickles the answer.
fn upstream(first: Option<Duration>) -> Router {
    Router::new().route(
        "/v1/chat/completions",
        post(async move |_: Bytes| {
            let mut response = Response::new(Body::new(trickle(first)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        }),
    )
}

/// Frames, after a pause each; the first after one or at once.
fn trickle(first: Option<Duration>) -> Polled<impl FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Unpin> {
    let mut pause = first.map(|first| Box::pin(sleep(first)));
    let mut left = FRAMES;
    Polled(move |cx: &mut Context<'_>| {
        if let Some(pause) = &mut pause {
            ready!(pause.as_mut().poll(cx));
        }
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        pause = Some(Box::pin(sleep(PAUSE)));
        Poll::Ready(Some(event(200)))
    })
}
