use serde_json::json;

use super::*;
use crate::codec::frames::tests::exception;

const METRICS: &str = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":1}"#;

fn with_metrics(mut expected: Value) -> Value {
    expected["amazon-bedrock-invocationMetrics"] = json!({"inputTokenCount": 1});
    expected
}

/// The last chunk with Bedrock's counts.
fn last(json: &str) -> String {
    format!("{},{METRICS}}}", json.strip_suffix('}').unwrap())
}

#[test]
fn every_family_of_models_is_assembled_in_its_own_format() {
    for (chunks, expected) in [
        (
            &[
                r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":2}}}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
                r#"{"type":"message_stop"}"#,
            ][..],
            json!({
                "id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}],
                "usage": {"input_tokens": 2, "output_tokens": 3}, "stop_reason": "end_turn",
            }),
        ),
        (
            &[
                r#"{"type":"completion","completion":" H","stop_reason":null}"#,
                r#"{"completion":"i","stop_reason":"stop_sequence","stop":"\n"}"#,
            ],
            json!({"type": "completion", "completion": " Hi", "stop_reason": "stop_sequence", "stop": "\n"}),
        ),
        (
            &[
                r#"{"messageStart":{"role":"assistant"}}"#,
                r#"{"contentBlockDelta":{"delta":{"text":"H"},"contentBlockIndex":0}}"#,
                r#"{"contentBlockDelta":{"delta":{"text":"i"},"contentBlockIndex":0}}"#,
                r#"{"contentBlockStop":{"contentBlockIndex":0}}"#,
                r#"{"messageStop":{"stopReason":"end_turn"}}"#,
                r#"{"metadata":{"usage":{"inputTokens":1},"metrics":{},"trace":{}}}"#,
            ],
            json!({
                "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn",
                "usage": {"inputTokens": 1}, "metrics": {}, "trace": {},
            }),
        ),
        (
            &[
                r#"{"outputText":"H","index":0.0,"inputTextTokenCount":28.0}"#,
                r#"{"outputText":"i","index":0.0,"totalOutputTextTokenCount":2,"completionReason":"FINISH"}"#,
            ],
            json!({
                "inputTextTokenCount": 28.0,
                "results": [{"outputText": "Hi", "tokenCount": 2, "completionReason": "FINISH"}],
            }),
        ),
        (
            &[
                r#"{"generation":"H","prompt_token_count":10,"generation_token_count":1,"stop_reason":null}"#,
                r#"{"generation":"i","prompt_token_count":null,"generation_token_count":2,"stop_reason":"stop"}"#,
            ],
            json!({"generation": "Hi", "prompt_token_count": 10, "generation_token_count": 2, "stop_reason": "stop"}),
        ),
        (
            &[
                r#"{"index":1,"is_finished":false,"text":"b"}"#,
                r#"{"index":0,"is_finished":false,"text":"H"}"#,
                r#"{"is_finished":false,"text":"i"}"#,
                r#"{"finish_reason":"COMPLETE","is_finished":true}"#,
            ],
            json!({"generations": [
                {"text": "Hi", "finish_reason": "COMPLETE"}, {"text": "b", "index": 1, "finish_reason": "COMPLETE"},
            ]}),
        ),
        (
            &[r#"{"generations":[{"id":"a","text":"Hi"}],"id":"b","prompt":"?"}"#],
            json!({"generations": [{"id": "a", "text": "Hi"}], "id": "b", "prompt": "?"}),
        ),
        (
            &[
                r#"{"event_type":"text-generation","is_finished":false,"text":"Hi"}"#,
                r#"{"event_type":"stream-end","is_finished":true,"finish_reason":"COMPLETE","response":{"text":"Hi"}}"#,
            ],
            json!({"text": "Hi", "finish_reason": "COMPLETE"}),
        ),
        (
            &[
                r#"{"outputs":[{"text":"H","stop_reason":null},{"text":"b"}]}"#,
                r#"{"outputs":[{"text":"i","stop_reason":"stop"}]}"#,
            ],
            json!({"outputs": [{"text": "Hi", "stop_reason": "stop"}, {"text": "b"}]}),
        ),
        (
            &[
                r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"H"}}]}"#,
                r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"i"},"finish_reason":"stop"}]}"#,
            ],
            json!({
                "id": "c", "object": "chat.completion",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            }),
        ),
        (
            &[r#"{"choices":[{"text":"H"}]}"#, r#"{"choices":[{"text":"i","stop_reason":"stop"}]}"#],
            json!({
                "object": "text_completion",
                "choices": [{"index": 0, "text": "Hi", "stop_reason": "stop", "finish_reason": null}],
            }),
        ),
    ] {
        let end = last(chunks.last().unwrap());
        let mut chunks = chunks.to_vec();
        *chunks.last_mut().unwrap() = &end;
        let (response, progress) = invoke(&chunks);
        assert_eq!(response, with_metrics(expected));
        assert!(progress.is_done && progress.has_token && !progress.has_error, "{response}");
        assert_eq!((progress.chunks, progress.skipped), (chunks.len() as u64, 0), "{response}");
    }
}

#[test]
fn only_the_counts_of_bedrock_end_a_stream_and_a_text_about_them_does_not() {
    let text = r#"{"generation":"\"amazon-bedrock-invocationMetrics\""}"#;
    assert!(!invoke(&[text]).1.is_done);
    let ends =
        [r#"{"generation":"a","stop_reason":"stop"}"#, r#"{"outputs":[{"text":"a","stop_reason":"stop"}]}"#];
    for end in ends {
        let progress = invoke(&[end]).1;
        assert_eq!((progress.is_done, progress.is_finished), (false, true), "{end}");
        assert!(invoke(&[&last(end)]).1.is_done, "{end}");
    }
}

#[test]
fn exceptions_stand_on_top_in_every_format() {
    for (first, field) in [
        (r#"{"type":"message_start","message":{"id":"m"}}"#, "id"),
        (r#"{"messageStart":{"role":"assistant"}}"#, "output"),
        (r#"{"generation":"a"}"#, "generation"),
        (r#"{"choices":[{"delta":{"content":"a"}}]}"#, "choices"),
    ] {
        let frames = [chunk(first), exception("throttlingException", r#"{"message":"m"}"#)].concat();
        let (response, progress) = read(&assembled(Operation::BedrockInvoke, &frames, None));
        assert_eq!(response["error"], json!({"type": "throttlingException", "message": "m"}), "{response}");
        assert!(response.get(field).is_some() && progress.has_error && !progress.is_done, "{response}");
        assert_eq!(progress.chunks, 2);
    }
    let (response, progress) =
        read(&assembled(Operation::BedrockInvoke, &exception("a", r#"{"message":"m"}"#), None));
    assert_eq!((response, progress.has_error), (json!({"error": {"type": "a", "message": "m"}}), true));
}

#[test]
fn chunks_that_cannot_be_read_are_counted() {
    let frames = [
        chunk(r#"{"generation":"a"}"#),
        event("chunk", r#"{"bytes":"!"}"#),
        event("chunk", "{}"),
        event("chunk", "["),
        event("other", r#"{"bytes":"e30="}"#),
        chunk("[1]"),
        chunk(r#"{"generation":"b"}"#),
    ];
    let (response, progress) = read(&assembled(Operation::BedrockInvoke, &frames.concat(), None));
    assert_eq!((response, progress.chunks, progress.skipped), (json!({"generation": "ab"}), 7, 5));
}

#[test]
fn a_stream_without_chunks_is_an_object_and_a_truncated_one_is_marked() {
    assert_eq!(read(&assembled(Operation::BedrockInvoke, b"", None)).0, json!({}));
    assert_eq!(
        read(&assembled(Operation::BedrockInvoke, b"", Some(Node::number(7)))).0,
        json!({"truncated": 7})
    );
}

#[test]
fn numbers_and_duplicate_keys_are_as_they_were_sent() {
    let frames = chunk(r#"{"generation":"a","x":{"n":1e999,"n":0.10}}"#);
    let json = assembled(Operation::BedrockInvoke, &frames, None).json;
    assert_eq!(json, r#"{"generation":"a","x":{"n":1e999,"n":0.10}}"#);
}
