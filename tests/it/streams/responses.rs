//! Promise 5 for streams of the Responses API: one is the chat that the unstreamed answer would have been.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_reconify::Config;

use crate::support::responses::{answer, translated};
use crate::support::{Observed, begin_with, events, exchange, observed, observed_with, post};

fn request(body: &Value) -> Request<Body> {
    post("/v1/responses", body.to_string())
}

async fn report_of(observed: &mut Observed, asked: &Value, answer: Response<Body>) -> Value {
    exchange(observed, request(asked), answer).await;
    observed.report().await
}

/// The response that is reported for these events.
async fn assembled(data: &[Value]) -> Value {
    let data: Vec<String> = data.iter().map(Value::to_string).collect();
    let data: Vec<&str> = data.iter().map(String::as_str).collect();
    let mut observed = observed();
    report_of(&mut observed, &json!({"input": "hi", "stream": true}), events(&data)).await["response"].take()
}

#[tokio::test]
async fn a_stream_of_the_responses_api_is_reported_as_its_last_response() {
    let started = json!({"id": "resp_1", "status": "in_progress", "output": []});
    let response = assembled(&[
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"}),
        json!({"type": "response.completed", "response": answer()}),
    ])
    .await;
    assert_eq!(response, translated());
}

#[tokio::test]
async fn items_missing_from_the_final_response_are_taken_from_the_stream() {
    let mut whole = answer();
    let items = whole["output"].take();
    whole["output"] = json!([]);
    let mut data: Vec<Value> = items
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, item)| json!({"type": "response.output_item.done", "output_index": i, "item": item}))
        .collect();
    data.push(json!({"type": "response.completed", "response": whole}));
    assert_eq!(assembled(&data).await, translated());
}

#[tokio::test]
async fn a_responses_stream_that_the_caller_leaves_is_reported_with_everything_that_had_arrived() {
    let delta = |kind: &str, index: u64, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": index, "content_index": 0, "summary_index": 0, "delta": delta});
    let response = assembled(&[
        json!({"type": "response.created", "response": {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "summary": []}}),
        delta("reasoning_summary_text", 0, "Hm"),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "role": "assistant", "content": []}}),
        delta("output_text", 1, "Hel"),
        delta("output_text", 1, "lo"),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}}),
        delta("function_call_arguments", 2, "{\"a"),
        json!({"type": "response.output_item.added", "output_index": 3, "item": {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": ""}}),
        delta("custom_tool_call_input", 3, "ls"),
    ])
    .await;
    let choice = &response["choices"][0];
    assert_eq!(choice["finish_reason"], Value::Null);
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": "Hello", "refusal": null, "reasoning_content": "Hm", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a"}},
            {"id": "d", "type": "custom", "custom": {"name": "g", "input": "ls"}}]})
    );
}

#[tokio::test]
async fn finish_reasons_of_a_streamed_response_have_the_names_of_a_chat() {
    for (status, details, finish) in [
        ("completed", Value::Null, json!("stop")),
        ("incomplete", json!({"reason": "max_output_tokens"}), json!("length")),
        ("incomplete", json!({"reason": "content_filter"}), json!("content_filter")),
        ("failed", Value::Null, Value::Null),
    ] {
        let kind = format!("response.{status}");
        let whole = json!({"object": "response", "status": status, "incomplete_details": details, "output": [
            {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]});
        let response = assembled(&[json!({"type": kind, "response": whole})]).await;
        assert_eq!(response["choices"][0]["finish_reason"], finish, "{status}");
        assert_eq!(response["choices"][0]["message"]["refusal"], "No.");
    }
}

#[tokio::test]
async fn an_error_in_the_stream_is_kept_and_the_exchange_is_interrupted() {
    let mut observed = observed_with(Config::builder("a", "b").metadata(true).build().unwrap());
    for data in [
        vec![r#"{"type":"error","code":"overloaded","message":"later"}"#],
        vec![r#"{"error":{"code":"overloaded","message":"later"}}"#],
        vec![
            r#"{"type":"error","error":{"code":"overloaded","message":"later","type":"tokens"}}"#,
            r#"{"type":"response.failed","response":{"object":"response","status":"failed","output":[],"error":{"code":"overloaded","message":"later"}}}"#,
        ],
    ] {
        let report = report_of(&mut observed, &json!({"input": "hi"}), events(&data)).await;
        assert_eq!(report["metadata"]["outcome"], "interrupted");
        let error = &report["response"]["error"];
        assert_eq!((&error["code"], &error["message"]), (&json!("overloaded"), &json!("later")));
        assert_eq!(report["response"]["choices"][0]["finish_reason"], Value::Null);
    }
}

#[tokio::test]
async fn a_response_counts_as_answered_although_the_caller_leaves_after_its_terminal_event() {
    for (status, outcome) in
        [("completed", "answered"), ("incomplete", "answered"), ("in_progress", "abandoned")]
    {
        let mut observed = observed_with(Config::builder("a", "b").metadata(true).build().unwrap());
        let event = format!(
            "data: {}\n\n",
            json!({"type": format!("response.{status}"), "response": {"status": status}})
        );
        let frames = futures_util::stream::iter([Ok::<_, Infallible>(event)]);
        let frames = frames.chain(futures_util::stream::pending());
        let answer = Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(frames))
            .unwrap();
        let mut body =
            begin_with(&observed.layer, request(&json!({"input": "hi"})), answer).await.into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(observed.report().await["metadata"]["outcome"], outcome, "{status}");
    }
}

#[tokio::test]
async fn text_from_a_done_event_is_kept_when_the_caller_leaves_the_stream() {
    let done = |kind: &str, key: &str, said: &str| json!({"type": format!("response.{kind}.done"), "output_index": 0, "content_index": 0, key: said});
    let response = assembled(&[done("output_text", "text", "Hello")]).await;
    assert_eq!(response["choices"][0]["message"]["content"], "Hello");
    let call = json!({"type": "response.output_item.added", "output_index": 0,
        "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}});
    let response = assembled(&[call, done("function_call_arguments", "arguments", "{}")]).await;
    assert_eq!(response["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[tokio::test]
async fn a_part_is_kept_as_in_its_done_event_when_the_caller_leaves_the_stream() {
    let refused = assembled(&[
        json!({"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "No."}),
        json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0, "part": {"type": "refusal", "refusal": "No."}}),
    ])
    .await;
    assert_eq!(refused["choices"][0]["message"]["refusal"], "No.", "once");
    let part = json!({"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation"}]});
    let response = assembled(&[
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"}),
        json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0, "part": part}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 1, "delta": ", wor"}),
    ])
    .await;
    let message = &response["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["annotations"]),
        (&json!("Hello, wor"), &json!([{"type": "url_citation"}]))
    );
}

#[tokio::test]
async fn annotations_logprobs_and_previews_are_kept_when_the_caller_leaves_the_stream() {
    let response = assembled(&[
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hello", "logprobs": [{"token": "Hello"}]}),
        json!({"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": {"type": "url_citation"}}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "image_generation_call", "id": "ig"}}),
        json!({"type": "response.image_generation_call.partial_image", "output_index": 1, "partial_image_b64": "aGVsbG8="}),
    ])
    .await;
    assert_eq!(response["choices"][0]["logprobs"]["content"], json!([{"token": "Hello"}]));
    let message = &response["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["annotations"]),
        (&json!("Hello"), &json!([{"type": "url_citation"}]))
    );
    let name = message["tool_calls"][0]["image_generation_call"]["result"].as_str().unwrap();
    assert!(name.ends_with("-0.png"), "it is uploaded: {name}");
}
