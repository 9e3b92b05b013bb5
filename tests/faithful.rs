//! Promise 5 for bodies: what crossed the wire is what is reported.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use axum::body::Body;
use axum::http::Response;
use serde_json::json;
use support::{ANSWER, CHAT, chat, exchange, field, observed, post};

#[tokio::test]
async fn json_is_reported_letter_by_letter() {
    let request = r#" {"messages":[], "a":1.0e2,"b":12345678901234567890123,"c":0.1234567890123456789,"d":1e999,"dup":1,"dup":2,"s":"\ud83d \u0000 \/ é"} "#;
    let response = r#"{"z":1,"a":[1.50,-0.0],"choices":[],"lone":"\udfff"}"#;
    let mut observed = observed();
    exchange(&observed, post("/v1/chat/completions", request), support::json(response)).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "request"), request.trim());
    assert_eq!(field(&report, "response"), response);
}

#[tokio::test]
async fn a_stream_in_an_unknown_coding_is_reported_by_type_and_length() {
    let mut observed = observed();
    let response = Response::builder()
        .header("content-type", "text/event-stream")
        .header("content-encoding", "gzip, snappy");
    exchange(&observed, chat(), response.body(Body::from("\u{1}\u{2}\u{3}")).unwrap()).await;
    assert_eq!(
        observed.report().await["response"],
        json!({"contentType": "text/event-stream", "bytes": 3, "choices": []})
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_reported_by_type_and_length() {
    let mut observed = observed();
    let html = Response::builder()
        .header("content-type", "text/html; charset=utf-8")
        .body(Body::from("<html>"))
        .unwrap();
    exchange(&observed, post("/v1/chat/completions", "not json"), html).await;
    let report = observed.report().await;
    assert_eq!(report["request"], json!({"contentType": "application/json", "bytes": 8, "messages": []}));
    assert_eq!(report["response"], json!({"contentType": "text/html", "bytes": 6, "choices": []}));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_replaced_by_its_length() {
    let config = tower_reconify::Config::builder("a", "b").max_body_bytes(100).build().unwrap();
    let mut observed = support::observed_with(config);
    let long = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(200));
    exchange(&observed, post("/v1/completions", long), support::json(format!("{:200}", "{}"))).await;
    let report = observed.report().await;
    assert_eq!(report["request"], json!({"truncated": {"bytes": 213, "limit": 100}, "prompt": ""}));
    assert_eq!(report["response"], json!({"truncated": {"bytes": 200, "limit": 100}, "choices": []}));
}

#[tokio::test]
async fn a_byte_order_mark_does_not_hide_json() {
    let mut observed = observed();
    exchange(&observed, chat(), support::json(format!("\u{feff} \n{ANSWER}"))).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "response"), ANSWER);
    assert_eq!(field(&report, "request"), CHAT);
}
