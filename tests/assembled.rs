//! Promise 5 for streams: one is reported as the object that the unstreamed call would have returned.

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
use serde_json::{Value, json};
use support::{chat, delta, events, exchange, observed, post};

/// The response that is reported for these events.
async fn assembled(data: &[&str]) -> Value {
    let mut observed = observed();
    exchange(&observed, chat(), events(data)).await;
    observed.report().await["response"].clone()
}

/// The message that these deltas add up to.
async fn message(deltas: &[&str]) -> Value {
    let chunks: Vec<String> = deltas.iter().map(|text| delta(text)).collect();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    assembled(&chunks).await["choices"][0]["message"].clone()
}

#[tokio::test]
async fn a_stream_of_text_is_the_whole_answer() {
    let response = assembled(&[
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"xyz"}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"lo \ud83d"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"\ude00"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
        "[DONE]",
    ])
    .await;
    assert_eq!(
        response,
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_694_268_190, "model": "gpt-4o", "system_fingerprint": "fp",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello 😀", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        })
    );
}

#[tokio::test]
async fn parallel_tool_calls_stay_apart() {
    let message = message(&[
        r#"{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"weather","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"time","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"city\":"}},{"index":0,"function":{"arguments":"{\"day\":"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":"2}"}}]}"#,
    ])
    .await;
    assert_eq!(
        message,
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"day\":1}"}},
            {"id": "b", "type": "function", "function": {"name": "time", "arguments": "{\"city\":2}"}},
        ]})
    );
}

#[tokio::test]
async fn tool_calls_without_an_index_are_told_by_their_ids() {
    let message = message(&[
        r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}"#,
        r#"{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"2"}}]}"#,
        r#"{"tool_calls":[{"id":"a","function":{"arguments":"3"}}]}"#,
        r#"{"tool_calls":[{"function":{"arguments":"4"}}]}"#,
    ])
    .await;
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "13");
    assert_eq!(message["tool_calls"][1]["function"]["arguments"], "24");
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_named_call_under_a_used_index_is_a_call_of_its_own() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"f"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"[]"}}]}"#,
    ])
    .await;
    assert_eq!(
        message["tool_calls"],
        json!([
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "[]"}},
        ])
    );
}

#[tokio::test]
async fn pieces_of_calls_that_share_an_index_are_told_by_their_ids() {
    let piece = |id: &str, function: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{{{function}}}}}]}}"#)
    };
    let pieces = [
        piece("a", r#""name":"f","arguments":"""#),
        piece("b", r#""name":"g","arguments":"""#),
        piece("a", r#""arguments":"{1}""#),
        piece("b", r#""arguments":"{2}""#),
    ];
    let message = message(&pieces.each_ref().map(String::as_str)).await;
    let arguments = |call: usize| &message["tool_calls"][call]["function"]["arguments"];
    assert_eq!((arguments(0), arguments(1)), (&json!("{1}"), &json!("{2}")));
}

#[tokio::test]
async fn an_id_that_changes_from_piece_to_piece_does_not_split_a_call() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":null,"arguments":"}"}}]}"#,
    ])
    .await;
    assert_eq!(message["tool_calls"], json!([{"id": "a", "function": {"name": "f", "arguments": "{}"}}]));
}

#[tokio::test]
async fn several_choices_stay_apart_and_come_in_their_order() {
    let response = assembled(&[
        r#"{"choices":[{"index":1,"delta":{"role":"assistant","content":"B"}},{"index":0,"delta":{"role":"assistant","content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}"#,
    ])
    .await;
    assert_eq!(
        response["choices"],
        json!([
            {"index": 0, "message": {"role": "assistant", "content": "aA"}, "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "Bb"}, "finish_reason": "length"},
        ])
    );
}

#[tokio::test]
async fn refusals_reasoning_and_audio_grow_as_texts_do() {
    let message = message(&[
        r#"{"role":"assistant","refusal":"I'm ","reasoning_content":"Let ","audio":{"id":"au","data":"AA","transcript":"He"}}"#,
        r#"{"refusal":"sorry","reasoning_content":"me","audio":{"data":"BB","transcript":"y","expires_at":7}}"#,
    ])
    .await;
    assert_eq!(
        message,
        json!({"role": "assistant", "content": null, "refusal": "I'm sorry", "reasoning_content": "Let me",
            "audio": {"id": "au", "data": "AABB", "transcript": "Hey", "expires_at": 7}})
    );
}

#[tokio::test]
async fn a_function_call_of_the_old_kind_is_put_together() {
    let message = message(&[
        r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"#,
        r#"{"function_call":{"arguments":"{\"a\":"}}"#,
        r#"{"function_call":{"arguments":"1}"}}"#,
    ])
    .await;
    assert_eq!(message["function_call"], json!({"name": "f", "arguments": "{\"a\":1}"}));
}

#[tokio::test]
async fn logprobs_are_joined_list_by_list() {
    let response = assembled(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.10}],"refusal":null}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b","logprob":-2e-5}],"refusal":null}}]}"#,
    ])
    .await;
    assert_eq!(
        response["choices"][0]["logprobs"],
        json!({"content": [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -2e-5}], "refusal": null})
    );
}

#[tokio::test]
async fn content_parts_of_one_kind_are_joined() {
    let message = message(&[
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"m."}]},{"type":"text","text":"1"}]}"#,
        r#"{"content":"2"}"#,
    ])
    .await;
    assert_eq!(
        message["content"],
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]}, {"type": "text", "text": "12"}])
    );
}

#[tokio::test]
async fn unknown_fields_are_kept_at_every_level() {
    let response = assembled(&[
        r#"{"id":"","model":"","created":0,"choices":[],"prompt_filter_results":[{"x":1.10}]}"#,
        r#"{"id":"real","model":"m","created":5,"choices":[{"index":0,"delta":{"content":"a","channel":"final","annotations":[1]},"content_filter_results":{"hate":1}}],"provider":"P"}"#,
        r#"{"id":"other","model":"m","created":6,"choices":[{"index":0,"delta":{"annotations":[2]},"content_filter_results":{"self_harm":2},"finish_reason":"stop"}],"usage":{"a":1}}"#,
        r#"{"choices":[{"index":0,"finish_reason":null}],"usage":{"b":2}}"#,
    ])
    .await;
    assert_eq!(
        response,
        json!({
            "id": "real", "model": "m", "created": 5, "object": "chat.completion", "prompt_filter_results": [{"x": 1.1}],
            "provider": "P", "usage": {"a": 1, "b": 2},
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "a", "channel": "final", "annotations": [1, 2]},
                "content_filter_results": {"hate": 1, "self_harm": 2}, "finish_reason": "stop"}],
        })
    );
}

#[tokio::test]
async fn a_streamed_completion_is_a_text_completion() {
    let mut observed = observed();
    let request = post("/v1/completions", r#"{"model":"m","prompt":"p","stream":true}"#);
    let response = events(&[
        r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":"a ","index":0,"logprobs":{"tokens":["a "],"text_offset":[0]},"finish_reason":null}],"model":"m"}"#,
        r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":"b","index":0,"logprobs":{"tokens":["b"],"text_offset":[2]},"finish_reason":"length"}],"model":"m"}"#,
        "[DONE]",
    ]);
    exchange(&observed, request, response).await;
    let report = observed.report().await;
    assert_eq!(report["reconify"]["type"], "completion");
    assert_eq!(
        report["response"],
        json!({"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [
            {"index": 0, "text": "a b", "logprobs": {"tokens": ["a ", "b"], "text_offset": [0, 2]}, "finish_reason": "length"}]})
    );
}

#[tokio::test]
async fn an_error_in_mid_stream_is_kept_beside_what_had_arrived() {
    for error in [r#"{"error":{"message":"overloaded","code":503}}"#, r#"{"error":"overloaded"}"#] {
        let response = assembled(&[&delta(r#"{"content":"Hel"}"#), error]).await;
        let wanted: Value = serde_json::from_str(error).unwrap();
        assert_eq!(response["error"], wanted["error"]);
        assert_eq!(response["choices"][0]["message"]["content"], "Hel");
        assert_eq!(response["choices"][0]["finish_reason"], Value::Null);
    }
}

#[tokio::test]
async fn an_error_event_is_an_error_whatever_its_data_looks_like() {
    let mut observed = observed();
    let body = format!(
        "data: {}\n\nevent: error\ndata: {{\"message\":\"broken\"}}\n\n",
        delta(r#"{"content":"a"}"#)
    );
    exchange(&observed, chat(), Response::new(Body::from(body))).await;
    assert_eq!(observed.report().await["response"]["error"], json!({"message": "broken"}));
}

#[tokio::test]
async fn a_stream_of_whole_messages_is_the_last_of_them() {
    let response = assembled(&[
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}]}"#,
    ])
    .await;
    assert_eq!(response["choices"][0]["message"], json!({"role": "assistant", "content": "ab"}));
    let response = assembled(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"message":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"message":{"content":"ab"}}]}"#,
    ])
    .await;
    assert_eq!(response["choices"][0]["message"], json!({"role": "assistant", "content": "ab"}));
}
