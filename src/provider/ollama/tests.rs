#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::PROVIDER;
use super::assembler::OllamaAssembler;
use crate::codec::allowance::Allowance;
use crate::codec::json::Node;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The text of the assembled response of these lines, and the progress.
fn text(operation: Operation, lines: &[&str]) -> (String, Progress) {
    let (mut assembler, mut progress) = (OllamaAssembler::default(), Progress::default());
    lines.iter().for_each(|line| assert!(assembler.push(b"", line.as_bytes(), &mut progress), "{line}"));
    (assembler.finish(operation, &mut progress), progress)
}

#[test]
fn texts_grow_calls_are_added_and_of_other_fields_the_last_value_counts() {
    let (response, progress) = text(
        Operation::OllamaChat,
        &[
            r#"{"model":"m","created_at":"1","message":{"role":"assistant","content":"","thinking":"h"},"done":false}"#,
            r#"{"model":"m","created_at":"2","message":{"role":"assistant","content":"","thinking":"m"},"done":false}"#,
            r#"{"model":"m","created_at":"3","message":{"role":"assistant","content":"a\n"},"done":false,"logprobs":[{"token":"a"}]}"#,
            r#"{"model":"m","created_at":"4","message":{"role":"assistant","content":"","tool_calls":[{"function":{"index":0,"name":"f","arguments":{"x":1e999}}}]},"done":false}"#,
            r#"{"model":"m","created_at":"5","message":{"role":"assistant","content":"b","tool_calls":[{"function":{"index":1,"name":"g","arguments":{}}}]},"done":false,"logprobs":[{"token":"b"}]}"#,
            r#"{"model":"m","created_at":"6","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":7}"#,
        ],
    );
    assert_eq!(
        response,
        concat!(
            r#"{"model":"m","created_at":"6","message":{"role":"assistant","content":"a\nb","thinking":"hm","#,
            r#""tool_calls":[{"function":{"index":0,"name":"f","arguments":{"x":1e999}}},"#,
            r#"{"function":{"index":1,"name":"g","arguments":{}}}]},"done":true,"#,
            r#""logprobs":[{"token":"a"},{"token":"b"}],"done_reason":"stop","eval_count":7}"#,
        )
    );
    assert!(progress.is_done && progress.is_finished && progress.has_token && !progress.has_error);
    assert_eq!((progress.chunks, progress.skipped), (6, 0));
}

#[test]
fn a_generated_text_is_joined_and_the_context_of_the_last_line_is_kept() {
    let (response, progress) = text(
        Operation::OllamaGenerate,
        &[
            r#"{"model":"m","created_at":"1","response":"","thinking":"hm","done":false}"#,
            r#"{"model":"m","created_at":"2","response":"a","done":false}"#,
            r#"{"model":"m","created_at":"3","response":"b","done":false}"#,
            r#"{"model":"m","created_at":"4","response":"","done":true,"context":[1,2]}"#,
        ],
    );
    let expected =
        r#"{"model":"m","created_at":"4","response":"ab","thinking":"hm","done":true,"context":[1,2]}"#;
    assert_eq!(response, expected);
    assert!(progress.is_done && progress.has_token);
}

#[test]
fn a_line_with_an_error_stands_beside_everything_that_arrived_before_it() {
    let (response, progress) = text(
        Operation::OllamaChat,
        &[
            r#"{"model":"m","message":{"role":"assistant","content":"a"},"done":false}"#,
            r#"{"error":"out of memory"}"#,
        ],
    );
    let response: Value = serde_json::from_str(&response).unwrap();
    let message = json!({"role": "assistant", "content": "a"});
    assert_eq!(response, json!({"model": "m", "message": message, "done": false, "error": "out of memory"}));
    assert!(progress.has_error && !progress.is_done && !progress.is_finished);
}

#[test]
fn loading_a_model_gives_no_token() {
    let (_, progress) = text(
        Operation::OllamaChat,
        &[r#"{"model":"m","message":{"role":"assistant","content":""},"done_reason":"load","done":true}"#],
    );
    assert!(progress.is_done && !progress.has_token);
}

#[test]
fn a_million_calls_take_one_pass_and_little_more_memory_than_their_text() {
    let calls = format!(r#"{{"message":{{"tool_calls":[{}{{}}]}}}}"#, "{},".repeat(9_999));
    let lines = vec![&*calls; 100];
    let ((response, progress), cost) = Allowance::LARGE.within(|| text(Operation::OllamaChat, &lines));
    assert!(response.len() <= calls.len() * 100);
    assert!(progress.has_token && cost.peak < 1_000 && !cost.is_exhausted, "{cost:?}");
}

#[test]
fn paths_of_chats_and_generations_are_recognised_under_any_prefix() {
    for (path, expected) in [
        ("/api/chat", Some(Operation::OllamaChat)),
        ("/ollama/api/chat", Some(Operation::OllamaChat)),
        ("/api/generate", Some(Operation::OllamaGenerate)),
        ("/api/chats", None),
        ("/chat", None),
        ("/myapi/chat", None),
        ("/api/embed", None),
        ("/api/tags", None),
        ("", None),
    ] {
        assert_eq!((PROVIDER.recognise)(path), expected, "{path}");
    }
}

#[test]
fn an_error_is_told_from_a_response_and_has_the_shape_of_ollama() {
    for row in PROVIDER.operations {
        assert!((row.is_error)(br#"{"error":"model not found"}"#));
        assert!(!(row.is_error)(br#"{"message":{"content":"\"error\": x"},"done":true}"#));
        let error = (row.error)("refused", "No.", row.placeholders.response);
        assert_eq!(error.to_json(), r#"{"error":"No."}"#);
    }
}

#[test]
fn a_stream_without_any_text_has_what_consoles_expect_unless_it_is_an_error() {
    assert_eq!(text(Operation::OllamaChat, &[r#"{"error":"e"}"#]).0, r#"{"error":"e"}"#);
    for (operation, expected) in [
        (Operation::OllamaChat, r#"{"truncated":null,"message":{}}"#),
        (Operation::OllamaGenerate, r#"{"truncated":null,"response":""}"#),
    ] {
        let mut assembler = OllamaAssembler::default();
        assembler.mark_truncated(Node::NULL);
        assert_eq!(assembler.finish(operation, &mut Progress::default()), expected);
    }
}
