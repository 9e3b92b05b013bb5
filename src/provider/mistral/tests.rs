#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::PROVIDER;
use crate::provider::openai::chat::assembler::ChatAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

fn assembled(chunks: &[&str]) -> (Value, Progress) {
    let (mut assembler, mut progress) = (ChatAssembler::default(), Progress::default());
    chunks.iter().for_each(|chunk| assert!(assembler.push(b"", chunk.as_bytes(), &mut progress), "{chunk}"));
    let whole = assembler.finish(Operation::MistralChat, &mut progress);
    (serde_json::from_str(&whole).unwrap(), progress)
}

/// The message of these deltas.
fn message(deltas: &[&str]) -> Value {
    let chunks: Vec<String> = deltas
        .iter()
        .map(|delta| format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}],"p":"abc"}}"#))
        .collect();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    assembled(&chunks).0["choices"][0]["message"].take()
}

#[test]
fn thinking_and_text_are_joined_although_lists_and_strings_alternate() {
    let message = message(&[
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"m"}],"closed":true}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"."}],"closed":true},{"type":"text","text":"1"}]}"#,
        r#"{"content":"44"}"#,
        r#"{"content":[{"type":"reference","reference_ids":[1]}]}"#,
        r#"{"content":"!"}"#,
    ]);
    assert_eq!(
        message["content"],
        json!([
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm."}], "closed": true},
            {"type": "text", "text": "144"},
            {"type": "reference", "reference_ids": [1]},
            {"type": "text", "text": "!"},
        ])
    );
}

#[test]
fn a_string_before_a_list_becomes_its_first_part() {
    let message = message(&[
        r#"{"role":"assistant","content":"a"}"#,
        r#"{"content":"b"}"#,
        r#"{"content":[{"type":"text","text":"c"},{"type":"reference","reference_ids":[1]}]}"#,
    ]);
    assert_eq!(
        message["content"],
        json!([{"type": "text", "text": "abc"}, {"type": "reference", "reference_ids": [1]}])
    );
}

#[test]
fn calls_without_an_index_are_told_apart_by_their_ids() {
    let message = message(&[
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
    ]);
    assert_eq!(
        message["tool_calls"],
        json!([
            {"id": "a", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        ])
    );
}

#[test]
fn a_call_keeps_its_index_as_in_an_unstreamed_response() {
    let call = r#"{"id":"a","index":0,"function":{"name":"f","arguments":""}}"#;
    let rest = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#;
    let message = message(&[&format!(r#"{{"tool_calls":[{call}]}}"#), rest]);
    let call = json!({"id": "a", "function": {"name": "f", "arguments": "{}"}, "index": 0});
    assert_eq!(message["tool_calls"], json!([call]));
}

#[test]
fn an_event_that_is_an_error_object_stands_beside_everything_that_arrived_before_it() {
    let chunk =
        r#"{"id":"i","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    let error = r#"{"object":"error","message":"m","type":"internal_error","param":null,"code":"3000"}"#;
    let (response, progress) = assembled(&[chunk, error]);
    assert_eq!(response["error"], serde_json::from_str::<Value>(error).unwrap());
    assert_eq!(response["choices"][0]["message"]["content"], "a");
    assert_eq!(response["message"], Value::Null);
    assert!(progress.has_error && !progress.is_finished);
}

#[test]
fn only_chats_are_recognised() {
    for (path, expected) in [
        ("/v1/chat/completions", Some(Operation::MistralChat)),
        ("/mistral/v1/chat/completions", Some(Operation::MistralChat)),
        ("/chat/completions", None),
        ("/v1/fim/completions", None),
        ("/v1/agents/completions", None),
        ("/v1/conversations", None),
        ("", None),
    ] {
        assert_eq!((PROVIDER.recognise)(path), expected, "{path}");
    }
}

#[test]
fn an_error_is_told_from_a_response_and_has_the_shape_of_mistral() {
    let row = &PROVIDER.operations[0];
    for (response, is_error) in [
        (r#"{"object":"error","message":"m","type":"t"}"#, true),
        (r#"{"detail":[{"msg":"m"}]}"#, true),
        (r#"{"object":"chat.completion","choices":[]}"#, false),
        ("{}", false),
    ] {
        assert_eq!((row.is_error)(response.as_bytes()), is_error, "{response}");
    }
    let error = (row.error)("refused", "No.", row.placeholders.response);
    assert_eq!(error.to_json(), r#"{"object":"error","message":"No.","type":"refused"}"#);
}
