//! Promise 4: however an exchange ends, it is one interaction, and its report can say how.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{ANSWER, Observed, begin, chat, events, exchange, observed_with};
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, Interaction, InteractionKind, RequestBody, Tags};

fn observed() -> Observed {
    observed_with(Config::builder("a", "b").report_failures(true).metadata(true).build().unwrap())
}

fn refusal(status: u16, body: &'static str) -> Response<Body> {
    let mut response = support::json(body);
    *response.status_mut() = status.try_into().unwrap();
    response
}

const EVENT: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}]}"#;

fn stream_of(frames: Vec<Result<Bytes, &'static str>>) -> Response<Body> {
    Response::new(Body::from_stream(stream::iter(frames)))
}

#[tokio::test]
async fn without_the_setting_a_report_has_no_metadata() {
    let mut observed = support::observed();
    exchange(&observed, chat(), support::json(ANSWER)).await;
    assert_eq!(observed.report().await.get("metadata"), None);
}

#[tokio::test]
async fn metadata_says_what_is_known_beside_the_content() {
    let mut observed = observed();
    let mut request = chat();
    request.extensions_mut().insert(Tags::new().with("tenant", "acme"));
    let mut response = support::json(ANSWER);
    response.headers_mut().insert("x-request-id", "req_1".parse().unwrap());
    exchange(&observed, request, response).await;
    let mut metadata = observed.report().await["metadata"].take();
    let fields = metadata.as_object_mut().unwrap();
    assert_eq!(fields.remove("id").unwrap().as_str().unwrap().len(), 36);
    assert!(fields.remove("durationMs").unwrap().is_u64());
    assert_eq!(
        metadata,
        json!({
            "outcome": "answered", "endpoint": "chat", "status": 200, "requestId": "req_1", "streamed": false, "chunks": 0,
            "timeToFirstTokenMs": null, "truncated": false, "skipped": 0, "tags": {"tenant": "acme"},
        })
    );
}

#[tokio::test]
async fn a_stream_has_its_chunks_and_the_time_to_its_first_token() {
    let mut observed = observed();
    let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    exchange(&observed, chat(), events(&[role, EVENT, EVENT, "[DONE]"])).await;
    let metadata = observed.report().await["metadata"].take();
    assert_eq!((&metadata["streamed"], &metadata["chunks"]), (&json!(true), &json!(3)));
    assert!(metadata["timeToFirstTokenMs"].as_u64().unwrap() <= metadata["durationMs"].as_u64().unwrap());
}

#[tokio::test]
async fn the_role_is_no_token() {
    let mut observed = observed();
    let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null,"tool_calls":[]}}]}"#;
    exchange(&observed, chat(), events(&[role, "[DONE]"])).await;
    assert_eq!(observed.report().await["metadata"]["timeToFirstTokenMs"], Value::Null);
}

/// The time is taken when the frame passes, however late the stream is read to its end.
#[tokio::test]
async fn the_first_token_is_timed_by_its_frame() {
    let mut observed = observed();
    let event = |data: &str| Ok(Bytes::from(format!("data: {data}\n\n")));
    let response = begin(&observed.layer, stream_of(vec![event(EVENT), event("[DONE]")])).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    let frame_passed = std::time::Instant::now();
    while frame_passed.elapsed() < Duration::from_millis(30) {
        tokio::task::yield_now().await;
    }
    body.collect().await.unwrap();
    let metadata = observed.report().await["metadata"].take();
    let (first, whole) =
        (metadata["timeToFirstTokenMs"].as_u64().unwrap(), metadata["durationMs"].as_u64().unwrap());
    assert!(first + 29 <= whole, "{metadata}");
}

#[tokio::test]
async fn a_refusal_is_reported_with_the_error_that_was_answered() {
    let mut observed = observed();
    let error = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    exchange(&observed, chat(), refusal(400, error)).await;
    let report = observed.report().await;
    assert_eq!(report["response"], serde_json::from_str::<Value>(error).unwrap());
    assert_eq!(
        (&report["metadata"]["outcome"], &report["metadata"]["status"]),
        (&json!("refused"), &json!(400))
    );
}

#[tokio::test]
async fn a_refusal_without_an_error_in_it_gets_one() {
    for body in ["", "<html>", "{}", "[1]", "null"] {
        let mut observed = observed();
        exchange(&observed, chat(), refusal(503, body)).await;
        let report = observed.report().await;
        let error = json!({"type": "refused", "message": "The service answered with status 503."});
        assert_eq!(report["response"], json!({"error": error, "choices": []}), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_in_the_shape_of_a_compatible_server_stays_as_it_was() {
    for body in
        [r#"{"object":"error","message":"bad"}"#, r#"[{"error":{"code":400}}]"#, r#"{"detail":[{"loc":[]}]}"#]
    {
        let mut observed = observed();
        exchange(&observed, chat(), refusal(400, body)).await;
        assert_eq!(observed.report().await["response"], serde_json::from_str::<Value>(body).unwrap());
    }
}

#[tokio::test]
async fn a_failure_is_reported_as_an_error() {
    let mut observed = observed();
    let failing =
        service_fn(async |_: Request<RequestBody<Body>>| Err::<Response<Body>, _>("SECRET of the error"));
    observed.layer.layer(failing).oneshot(chat()).await.unwrap_err();
    let report = observed.report().await;
    assert_eq!(
        (&report["metadata"]["outcome"], &report["metadata"]["status"]),
        (&json!("failed"), &Value::Null)
    );
    assert_eq!(report["response"]["error"]["type"], "no_response");
    assert!(!report.to_string().contains("SECRET"), "nobody knows what is in a service's error");
}

#[tokio::test]
async fn interrupted_and_abandoned_answers_are_told_apart() {
    let event = || Ok(Bytes::from(format!("data: {EVENT}\n\n")));
    let finish =
        || Ok(Bytes::from("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"));
    let done = || Ok(Bytes::from("data: [DONE]\n\n"));
    let error = || Ok(Bytes::from("data: {\"error\":{\"message\":\"overloaded\"}}\n\n"));
    // The frames, how many of them the caller reads before it leaves, and the outcome.
    for (frames, read, outcome) in [
        (vec![event(), Err("reset")], 3, "interrupted"),
        (vec![event(), error(), done()], 4, "interrupted"),
        (vec![event(), error()], 2, "interrupted"),
        (vec![event(), event(), done()], 1, "abandoned"),
        (vec![event(), event()], 0, "abandoned"),
        (vec![event(), done(), event()], 2, "answered"),
        (vec![event(), event()], 3, "interrupted"),
        (vec![event(), finish(), Err("reset")], 3, "interrupted"),
        (vec![event(), finish(), event()], 2, "answered"),
        (vec![event(), done(), Err("reset")], 3, "answered"),
    ] {
        let mut observed = observed();
        let mut body = begin(&observed.layer, stream_of(frames.clone())).await.into_body();
        for _ in 0..read {
            let _ = body.frame().await;
        }
        drop(body);
        assert_eq!(observed.report().await["metadata"]["outcome"], outcome, "{read} of {frames:?}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_has_abandoned_it() {
    let mut observed = observed();
    let silent = service_fn(|_: Request<RequestBody<Body>>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    assert!(
        futures_util::future::poll_immediate(observed.layer.layer(silent).oneshot(chat())).await.is_none()
    );
    let metadata = observed.report().await["metadata"].take();
    assert_eq!((&metadata["outcome"], &metadata["status"]), (&json!("abandoned"), &Value::Null));
}

/// Servers stop polling a body when they have written as many bytes as `content-length` says.
#[tokio::test]
async fn a_body_that_is_dropped_at_its_last_byte_was_answered() {
    let mut observed = observed();
    let frames = [Ok::<_, Infallible>(Bytes::from(ANSWER))];
    let body = Body::from_stream(stream::iter(frames).chain(stream::pending()));
    let response = Response::builder().header("content-length", ANSWER.len()).body(body).unwrap();
    let mut body = begin(&observed.layer, response).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(observed.report().await["metadata"]["outcome"], "answered");
}

#[tokio::test]
async fn an_answer_without_a_body_is_answered_though_nobody_reads_it() {
    let mut observed = observed();
    drop(begin(&observed.layer, Response::new(Body::empty())).await);
    assert_eq!(observed.report().await["metadata"]["outcome"], "answered");
}

#[tokio::test]
async fn what_is_reported_by_hand_has_metadata_too() {
    let mut observed = observed();
    let interaction = Interaction::new(InteractionKind::Assistant, &1, &2).unwrap();
    let interaction = interaction.at(std::time::UNIX_EPOCH, Duration::from_secs(2));
    observed.layer.reporter().report(interaction);
    let metadata = observed.report().await["metadata"].take();
    assert_eq!((&metadata["durationMs"], &metadata["endpoint"]), (&json!(2_000), &Value::Null));
}
