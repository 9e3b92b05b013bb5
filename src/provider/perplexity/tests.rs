#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::PROVIDER;
use super::assembler::PerplexityAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

fn assembled(chunks: &[&str]) -> (Value, Progress) {
    let (mut assembler, mut progress) = (PerplexityAssembler::default(), Progress::default());
    chunks.iter().for_each(|chunk| assert!(assembler.push(b"", chunk.as_bytes(), &mut progress), "{chunk}"));
    let whole = assembler.finish(Operation::PerplexityChat, &mut progress);
    (serde_json::from_str(&whole).unwrap(), progress)
}

const FIRST: &str = r#"{"id":"i","object":"chat.completion.chunk","usage":{"total_tokens":1},"citations":["u"],"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"delta":{"role":"assistant","content":"a"}}]}"#;
const SECOND: &str = r#"{"id":"i","object":"chat.completion.chunk","usage":{"total_tokens":2},"citations":["u","v"],"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"delta":{"role":"assistant","content":"b"}}]}"#;

#[test]
fn deltas_are_joined_and_neither_role_nor_message_nor_sources_are_repeated() {
    let last = r#"{"id":"i","object":"chat.completion.done","usage":{"total_tokens":3},"citations":["u","v"],"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#;
    let (response, progress) = assembled(&[FIRST, SECOND, last]);
    let message = json!({"role": "assistant", "content": "ab"});
    assert_eq!(
        response,
        json!({
            "id": "i",
            "object": "chat.completion",
            "usage": {"total_tokens": 3},
            "citations": ["u", "v"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        })
    );
    assert!(progress.is_done && progress.is_finished && progress.has_token);
}

#[test]
fn a_stream_is_done_after_its_last_chunk_or_with_a_reason_for_every_choice() {
    let reason = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let done = r#"{"object":"chat.completion.done","choices":[]}"#;
    let quoted = r#"{"choices":[{"index":0,"delta":{"content":"chat.completion.done"}}]}"#;
    for (last, is_done) in [(reason, true), (done, true), (quoted, false), (SECOND, false)] {
        assert_eq!(assembled(&[FIRST, last]).1.is_done, is_done, "{last}");
    }
}

#[test]
fn a_stream_without_any_choice_is_still_a_chat() {
    let (response, progress) = assembled(&[r#"{"error":{"message":"m","code":500}}"#]);
    let error = json!({"message": "m", "code": 500});
    assert_eq!(response, json!({"error": error, "object": "chat.completion", "choices": []}));
    assert!(progress.has_error && !progress.is_done);
}

#[test]
fn chats_are_recognised_with_and_without_a_version() {
    for (path, expected) in [
        ("/chat/completions", Some(Operation::PerplexityChat)),
        ("/v1/chat/completions", Some(Operation::PerplexityChat)),
        ("/completions", None),
        ("/search", None),
        ("", None),
    ] {
        assert_eq!((PROVIDER.recognise)(path), expected, "{path}");
    }
}

#[test]
fn an_error_is_told_from_a_response_and_has_the_shape_of_perplexity() {
    let row = &PROVIDER.operations[0];
    assert!((row.is_error)(br#"{"error":{"message":"m","code":400}}"#));
    assert!(!(row.is_error)(br#"{"choices":[{"message":{"content":"a"}}]}"#));
    let error = (row.error)("refused", "No.", row.placeholders.response);
    assert_eq!(error.to_json(), r#"{"error":{"type":"refused","message":"No."}}"#);
}
