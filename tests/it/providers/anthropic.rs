//! Anthropic's API: what is captured of it, and what its reports look like.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower_reconify::{Config, Limits, OmitContent, Operation, Provider};

use crate::support::{self, Observed, events, exchange, field, observed, observed_with, post};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Meow."}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":1e2}}"#;
const QUESTION: &str = r#"{"model":"claude","max_tokens":9,"temperature":0.10,"messages":[{"role":"user","content":"Cat?"}],"stream":true}"#;
const VERTEX: &str = "/v1/projects/p/locations/l/publishers/anthropic/models/claude%401:streamRawPredict";
const STREAM: [&str; 6] = [
    r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Me"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ow."}   }"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1e2}}"#,
    r#"{"type":"message_stop"}"#,
];

fn with_metadata() -> Observed {
    observed_with(Config::builder("a", "b").metadata(true).build().unwrap())
}

fn versioned(path: &str, body: &str) -> Request<Body> {
    let mut request = post(path, body.to_owned());
    request.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());
    request
}

fn kind(report: &Value) -> [&Value; 3] {
    ["format", "type", "version"].map(|name| &report["reconify"][name])
}

#[tokio::test]
async fn a_request_to_anthropics_paths_is_captured_with_its_header_or_on_its_host() {
    let mut observed = observed();
    for path in ["/v1/messages", "/v1/complete", "/api/v1/messages", "http://example.com/v1/messages"] {
        exchange(&observed, post(path, QUESTION), support::json(MESSAGE)).await;
    }
    for path in [
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/publishers/anthropic/models/count-tokens:rawPredict",
        "/messages",
    ] {
        exchange(&observed, versioned(path, QUESTION), support::json(MESSAGE)).await;
    }
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.captured), (0, 0), "an application has such paths itself");

    for (request, r#type) in [
        (versioned("/v1/messages?beta=true", QUESTION), "chat"),
        (versioned("/anthropic/v1/messages", QUESTION), "chat"),
        (versioned("/v1/complete", QUESTION), "completion"),
        (post("https://api.anthropic.com/v1/messages", QUESTION), "chat"),
        (post("https://api.anthropic.com/v1/complete", QUESTION), "completion"),
    ] {
        exchange(&observed, request, support::json(MESSAGE)).await;
        let report = observed.report().await;
        assert_eq!(kind(&report), ["anthropic", r#type, "3.0.0"]);
    }
}

#[tokio::test]
async fn operations_that_are_asked_for_need_neither_header_nor_host() {
    for operations in
        [vec![Operation::AnthropicMessages], Provider::Anthropic.operations().collect::<Vec<_>>()]
    {
        let mut observed = observed_with(Config::builder("a", "b").capture(operations).build().unwrap());
        exchange(&observed, post("/v1/messages", QUESTION), support::json(MESSAGE)).await;
        exchange(&observed, support::chat(), support::json(support::ANSWER)).await;
        let (reports, _) = observed.settle().await;
        assert_eq!(reports.len(), 1);
        assert_eq!(kind(&reports[0]), ["anthropic", "chat", "3.0.0"]);
    }
}

#[tokio::test]
async fn bodies_are_reported_letter_by_letter_and_a_stream_as_the_message() {
    let mut observed = observed();
    exchange(&observed, versioned("/v1/messages", QUESTION), support::json(MESSAGE)).await;
    let report = observed.report_text().await;
    assert_eq!((field(&report, "request"), field(&report, "response")), (QUESTION, MESSAGE));
    exchange(&observed, versioned("/v1/messages", QUESTION), events(&STREAM)).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "response"), MESSAGE);
}

#[tokio::test]
async fn a_request_on_vertex_gets_the_model_of_its_path_and_nothing_else() {
    let mut observed = observed();
    let body = QUESTION.replace(r#""model":"claude","#, "");
    exchange(&observed, post(VERTEX, body.clone()), events(&STREAM)).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "request"), body.replacen('{', r#"{"model":"claude@1","#, 1));
    assert_eq!(field(&report, "response"), MESSAGE);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(kind(&report), ["anthropic", "chat", "3.0.0"]);

    let mut omitted = post(VERTEX, body);
    omitted.extensions_mut().insert(OmitContent);
    exchange(&observed, omitted, events(&STREAM[..3])).await;
    let mut report = observed.report().await;
    for half in ["request", "response"] {
        assert!(report[half].as_object_mut().unwrap().remove("omitted").is_some(), "{half}");
    }
    assert_eq!(report["request"], json!({"model": "claude@1", "messages": []}));
    let usage = json!({"input_tokens": 5, "output_tokens": 1});
    let response =
        json!({"id": "msg_1", "type": "message", "model": "claude", "usage": usage, "content": []});
    assert_eq!(report["response"], response);
}

#[tokio::test]
async fn a_stream_with_an_error_or_without_its_last_event_is_interrupted() {
    let mut observed = with_metadata();
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"} }"#;
    let failed = [&STREAM[..3], &[error]].concat();
    for (stream, outcome) in
        [(&STREAM[..], "answered"), (&STREAM[..5], "interrupted"), (&failed, "interrupted")]
    {
        let mut response = events(stream);
        response.headers_mut().insert("request-id", "req_1".parse().unwrap());
        response.headers_mut().insert("x-request-id", "other".parse().unwrap());
        exchange(&observed, versioned("/v1/messages", QUESTION), response).await;
        let report = observed.report().await;
        assert_eq!(report["metadata"]["outcome"], outcome);
        assert_eq!(report["metadata"]["requestId"], "req_1");
        let (text, error) = if stream == failed { ("Me", "overloaded_error") } else { ("Meow.", "") };
        assert_eq!(report["response"]["content"][0]["text"], text);
        assert_eq!(report["response"]["error"]["type"].as_str().unwrap_or_default(), error);
    }
}

#[tokio::test]
async fn an_error_is_reported_as_it_came_and_gets_no_placeholder() {
    let mut observed = with_metadata();
    let error = r#"{"type":"error","error":{"type":"api_error","message":"x"},"request_id":"req_1"}"#;
    exchange(&observed, versioned("/v1/messages", QUESTION), support::json(error)).await;
    let report = observed.report_text().await;
    assert_eq!(field(&report, "response"), error);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["metadata"]["outcome"], "refused");
}

#[tokio::test]
async fn bodies_that_are_cut_have_what_consoles_expect() {
    let limits = Limits { body_bytes: 2_000, ..Limits::default() };
    let mut observed = observed_with(Config::builder("a", "b").limits(limits).build().unwrap());
    let long = format!(r#"{{"system":"{}"}}"#, "x".repeat(10_000));
    exchange(&observed, post(VERTEX, long.clone()), support::json(long.clone())).await;
    let report = observed.report().await;
    let truncated = json!({"bytes": long.len(), "limit": 2_000});
    assert_eq!(report["request"], json!({"model": "claude@1", "truncated": truncated, "messages": []}));
    assert_eq!(report["response"], json!({"truncated": truncated, "content": []}));
    exchange(&observed, versioned("/v1/complete", &long), support::json(long.clone())).await;
    let report = observed.report().await;
    assert_eq!(report["request"], json!({"truncated": truncated, "prompt": ""}));
    assert_eq!(report["response"], json!({"truncated": truncated, "completion": ""}));
}
