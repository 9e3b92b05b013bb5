//! Promise 5 for the Responses API: it is reported as a chat, with every text, call, usage and finish.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{Observed, begin_with, events, exchange, observed, observed_with, post};
use tower_reconify::{Config, Responses};

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

fn answer() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed", "error": null,
        "instructions": "Be brief.", "model": "gpt-4o",
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "message", "id": "msg", "role": "assistant", "content": [
                {"type": "output_text", "text": "Hel", "annotations": [{"type": "url_citation"}]},
                {"type": "output_text", "text": "lo", "annotations": []}]},
            {"type": "web_search_call", "id": "ws", "status": "completed"},
            {"type": "function_call", "id": "fc", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":1}"},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"},
        ],
        "usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 7},
        "temperature": 1.0,
    })
}

fn translated() -> Value {
    json!({
        "id": "resp_1", "object": "chat.completion", "created": 1_700_000_000, "status": "completed", "error": null, "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Hello", "refusal": null, "reasoning_content": "Hm.",
            "tool_calls": [
                {"id": "ws", "type": "web_search_call", "web_search_call": {"type": "web_search_call", "id": "ws", "status": "completed"}},
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":1}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
            ],
            "annotations": [{"type": "url_citation"}],
        }}],
        "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens": 4,
            "completion_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 7},
        "temperature": 1.0,
    })
}

#[tokio::test]
async fn an_answer_becomes_that_of_a_chat() {
    let mut observed = observed();
    let report = report_of(&mut observed, &json!({"input": "hi"}), support::json(answer().to_string())).await;
    assert_eq!(report["reconify"]["type"], "chat");
    assert_eq!(report["response"], translated());
}

#[tokio::test]
async fn a_question_becomes_that_of_a_chat() {
    let mut observed = observed();
    let asked = json!({
        "model": "gpt-4o", "instructions": "Be brief.", "temperature": 0.5,
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                {"type": "input_file", "file_id": "f"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
            {"type": "function_call_output", "call_id": "c1", "output": "done"},
            {"type": "item_reference", "id": "i"},
        ],
    });
    let report = report_of(&mut observed, &asked, support::json(answer().to_string())).await;
    assert_eq!(
        report["request"],
        json!({
            "model": "gpt-4o", "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "hi"},
                {"role": "user", "content": [{"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}, {"type": "input_file", "file_id": "f"}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}]},
                {"role": "tool", "content": "done", "tool_call_id": "c1"},
                {"role": "assistant", "content": null, "item": {"type": "item_reference", "id": "i"}},
            ],
        })
    );
    let report = report_of(&mut observed, &json!({"prompt": {"id": "p"}}), support::json("{}")).await;
    assert_eq!(report["request"], json!({"prompt": {"id": "p"}, "messages": []}), "without an input");
}

#[tokio::test]
async fn a_stream_is_its_last_response() {
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
async fn items_that_the_last_response_leaves_out_are_those_that_were_streamed() {
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
async fn a_stream_that_is_left_has_all_that_had_arrived() {
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
async fn finishes_have_the_chats_names() {
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
async fn a_response_that_ended_is_answered_though_the_caller_leaves_at_its_end() {
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
async fn it_can_be_reported_verbatim_or_not_at_all() {
    let config = |responses| Config::builder("a", "b").responses(responses).build().unwrap();
    let mut verbatim = observed_with(config(Responses::Verbatim));
    let report = report_of(&mut verbatim, &json!({"input": "hi"}), support::json(answer().to_string())).await;
    assert_eq!(report["reconify"]["type"], "response");
    assert_eq!((&report["request"], &report["response"]), (&json!({"input": "hi"}), &answer()));

    let mut off = observed_with(config(Responses::Off));
    exchange(&off, request(&json!({"input": "hi"})), support::json(answer().to_string())).await;
    assert_eq!(off.settle().await.1.captured, 0);
}

#[tokio::test]
async fn what_is_said_without_pieces_is_kept_when_the_stream_is_left() {
    let done = |kind: &str, key: &str, said: &str| json!({"type": format!("response.{kind}.done"), "output_index": 0, "content_index": 0, key: said});
    let response = assembled(&[done("output_text", "text", "Hello")]).await;
    assert_eq!(response["choices"][0]["message"]["content"], "Hello");
    let call = json!({"type": "response.output_item.added", "output_index": 0,
        "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}});
    let response = assembled(&[call, done("function_call_arguments", "arguments", "{}")]).await;
    assert_eq!(response["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[tokio::test]
async fn annotations_and_previews_are_kept_when_the_stream_is_left() {
    let response = assembled(&[
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hello"}),
        json!({"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": {"type": "url_citation"}}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "image_generation_call", "id": "ig"}}),
        json!({"type": "response.image_generation_call.partial_image", "output_index": 1, "partial_image_b64": "aGVsbG8="}),
    ])
    .await;
    let message = &response["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["annotations"]),
        (&json!("Hello"), &json!([{"type": "url_citation"}]))
    );
    let name = message["tool_calls"][0]["image_generation_call"]["result"].as_str().unwrap();
    assert!(name.ends_with("-0.png"), "it is uploaded: {name}");
}

#[tokio::test]
async fn what_compatible_servers_say_otherwise_is_kept() {
    let mut observed = observed();
    let answer = json!({"object": "response", "status": "completed", "output": [
        {"type": "message", "content": "Hello"},
        {"type": "message", "content": [{"type": "output_image", "image_url": "https://x/y.png"}]}]});
    let asked = json!({"input": ["a", "b"], "messages": [{"role": "user", "content": "c"}]});
    let report = report_of(&mut observed, &asked, support::json(answer.to_string())).await;
    let message = &report["response"]["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["items"][0]["image_url"]),
        (&json!("Hello"), &json!("https://x/y.png"))
    );
    let said: Vec<&Value> =
        report["request"]["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(said, ["a", "b", "c"]);
}

#[tokio::test]
async fn every_logprob_of_a_long_answer_is_kept() {
    let mut observed = observed();
    let logprobs = vec![json!({"token": "x"}); 20_001];
    let answer = json!({"object": "response", "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "x", "logprobs": logprobs}]}]});
    let report = report_of(&mut observed, &json!({"input": "hi"}), support::json(answer.to_string())).await;
    assert_eq!(report["response"]["choices"][0]["logprobs"]["content"].as_array().unwrap().len(), 20_001);
}

#[tokio::test]
async fn more_items_than_any_conversation_has_are_reported_by_their_length() {
    for items in [20_000, 300_000] {
        let mut observed = observed();
        let asked = json!({"input": vec![json!({}); items]});
        let answered = json!({"object": "response", "output": vec![json!({}); items]});
        let report = report_of(&mut observed, &asked, support::json(answered.to_string())).await;
        let truncated = |body: &Value| json!({"bytes": body.to_string().len(), "itemLimit": 10_000});
        assert_eq!(report["request"], json!({"truncated": truncated(&asked), "messages": []}));
        assert_eq!(report["response"], json!({"truncated": truncated(&answered), "choices": []}));
        assert_eq!(observed.layer.reporter().stats().truncated, 1);
    }
}

#[tokio::test]
async fn a_call_that_waits_for_the_client_ends_the_turn() {
    let mut observed = observed();
    for (output, finish) in [
        (json!([{"type": "function_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "computer_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "local_shell_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "apply_patch_call", "call_id": "c"}]), "tool_calls"),
        (json!([{"type": "mcp_approval_request", "id": "m"}]), "tool_calls"),
        (json!([{"type": "shell_call", "call_id": "c"}]), "tool_calls"),
        (
            json!([{"type": "shell_call", "call_id": "c"}, {"type": "shell_call_output", "call_id": "c"}]),
            "stop",
        ),
        (json!([{"type": "web_search_call", "id": "w"}]), "stop"),
    ] {
        let answer = json!({"object": "response", "status": "completed", "output": output});
        let report =
            report_of(&mut observed, &json!({"input": "hi"}), support::json(answer.to_string())).await;
        assert_eq!(report["response"]["choices"][0]["finish_reason"], finish, "{output}");
    }
}

#[tokio::test]
async fn the_result_of_a_computer_call_is_a_part_with_an_image() {
    let mut observed = observed();
    let asked = json!({"input": [{"type": "computer_call_output", "call_id": "c",
        "output": {"type": "computer_screenshot", "image_url": "https://x/y.png"}}]});
    let report = report_of(&mut observed, &asked, support::json("{}")).await;
    assert_eq!(
        report["request"]["messages"],
        json!([{"role": "tool", "tool_call_id": "c",
            "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}])
    );
}

#[tokio::test]
async fn instructions_of_a_stored_prompt_are_kept_because_no_request_has_them() {
    let mut observed = observed();
    let mut answer = answer();
    answer["prompt"] = json!({"id": "pmpt_1"});
    let asked = json!({"prompt": {"id": "pmpt_1"}});
    let report = report_of(&mut observed, &asked, support::json(answer.to_string())).await;
    assert_eq!(report["response"]["instructions"], "Be brief.");
}
