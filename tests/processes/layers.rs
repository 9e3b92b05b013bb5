//! The layers of the example gateway, around a handler of the test: what no client of a process can provoke or see.

#[path = "../../examples/gateway/answers.rs"]
mod answers;
#[path = "../../examples/gateway/bounds.rs"]
mod bounds;
#[path = "../../examples/gateway/layers.rs"]
mod gateway_layers;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tower::ServiceExt;

use self::bounds::{Bounds, TooSlow};

async fn answer(app: Router, body: Body) -> Response {
    answer_as_one_of(&Arc::new(Semaphore::new(1)), app, body).await
}

async fn answer_as_one_of(exchanges: &Arc<Semaphore>, app: Router, body: Body) -> Response {
    let bounds =
        Bounds { exchanges: Arc::clone(exchanges), body_bytes: 1_000, idle: Duration::from_secs(600) };
    gateway_layers::around(app, bounds).oneshot(Request::new(body)).await.unwrap()
}

async fn panicking() -> StatusCode {
    panic!("the secret of the handler")
}

#[tokio::test]
async fn a_panic_is_answered_with_500_and_does_not_reach_the_client() {
    let response = answer(Router::new().fallback(panicking), Body::empty()).await;
    assert_eq!(response.status(), 500);
    assert!(response.headers().contains_key("x-request-id"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let message = serde_json::from_slice::<Value>(&body).unwrap()["error"]["message"].to_string();
    assert!(message.contains("the gateway failed") && !message.contains("secret"), "{message}");
}

#[tokio::test]
async fn lengths_frames_and_trailers_pass_unchanged() {
    let echo = Router::new().fallback(async |request: Request| {
        assert_eq!(request.body().size_hint().exact(), Some(5), "the handler sees the length");
        Response::new(request.into_body())
    });
    let response = answer(echo, Body::from("hello")).await;
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert!(!response.body().is_end_stream());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");

    let empty = Router::new().fallback(async |request: Request| {
        assert!(request.body().is_end_stream(), "the handler sees that there is no body");
        Response::new(request.into_body())
    });
    assert!(answer(empty, Body::empty()).await.body().is_end_stream());

    let framed = Router::new().fallback(async || {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", "1".parse().unwrap());
        let frames =
            [Frame::data(Bytes::from("a")), Frame::data(Bytes::from("b")), Frame::trailers(trailers)];
        Response::new(Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)))))
    });
    let mut body = answer(framed, Body::new(Full::default())).await.into_body();
    for data in ["a", "b"] {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), data);
    }
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap()["x-checksum"], "1");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_exchange_is_counted_until_both_its_bodies_have_ended() {
    let exchanges = Arc::new(Semaphore::new(1));
    for is_request_first in [false, true] {
        let (uploads, mut uploading) = mpsc::unbounded_channel();
        let early = Router::new().fallback(async move |request: Request| {
            uploads.send(request.into_body()).unwrap();
            "answered before the request was read"
        });
        let response = answer_as_one_of(&exchanges, early, Body::from("hello")).await;
        let mut bodies = [response.into_body(), uploading.recv().await.unwrap()];
        if is_request_first {
            bodies.reverse();
        }
        let [first, second] = bodies;
        drop(first);
        let refused = answer_as_one_of(&exchanges, Router::new(), Body::empty()).await;
        assert_eq!((refused.status(), exchanges.available_permits()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        drop(second);
        assert_eq!(exchanges.available_permits(), 1);
    }
}

/// The clock jumps to the next timer whenever nothing else can run.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_silent_for_too_long_fails_and_one_that_is_slow_does_not() {
    let slow = Router::new().fallback(async || {
        let events = stream::iter(0..5).then(async |_| {
            tokio::time::sleep(Duration::from_secs(599)).await;
            Ok::<_, Infallible>("data: 1\n\n")
        });
        Response::new(Body::from_stream(events.chain(stream::pending())))
    });
    let mut body = answer(slow, Body::empty()).await.into_body();
    for _ in 0..5 {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    }
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(error.to_string().contains(&TooSlow.to_string()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stops_arriving_fails() {
    let reading = Router::new().fallback(async |request: Request| {
        let error = request.into_body().collect().await.unwrap_err();
        Response::new(Body::from(error.to_string()))
    });
    let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let body = answer(reading, silent).await.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, TooSlow.to_string());
}
