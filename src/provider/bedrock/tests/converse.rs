use serde_json::json;

use super::*;
use crate::codec::frames::tests::{error, exception};

const START: (&str, &str) = ("messageStart", r#"{"p":"abc","role":"assistant"}"#);
const STOP: (&str, &str) = ("messageStop", r#"{"p":"ab","stopReason":"end_turn"}"#);
const METADATA: (&str, &str) =
    ("metadata", r#"{"metrics":{"latencyMs":274},"p":"a","usage":{"inputTokens":27,"outputTokens":1e2}}"#);

fn content(pieces: &[(&str, &str)]) -> Value {
    let (mut response, progress) = converse(&[&[START], pieces, &[STOP, METADATA]].concat());
    assert_eq!((progress.is_done, progress.skipped), (true, 0));
    response["output"]["message"]["content"].take()
}

#[test]
fn texts_are_joined_and_the_fields_of_the_last_events_stand_beside_the_message() {
    let stream = frames(&[
        START,
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hi \""},"p":"abcdefg"}"#),
        ("contentBlockDelta", "{\"contentBlockIndex\":0,\n\"delta\":\n{\"text\":\"é\\\"\"}}"),
        ("contentBlockStop", r#"{"contentBlockIndex":0,"p":"a"}"#),
        ("messageStop", r#"{"stopReason":"end_turn","additionalModelResponseFields":{"a":0.10}}"#),
        METADATA,
    ]);
    let assembled = assembled(Operation::BedrockConverse, &stream, None);
    let expected = concat!(
        r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi \"é\""}]}},"#,
        r#""stopReason":"end_turn","additionalModelResponseFields":{"a":0.10},"#,
        r#""metrics":{"latencyMs":274},"usage":{"inputTokens":27,"outputTokens":1e2}}"#
    );
    assert_eq!(assembled.json, expected);
    let Progress { is_done, is_finished, has_error, chunks, skipped, has_token } = assembled.progress;
    assert_eq!(
        (is_done, is_finished, has_error, chunks, skipped, has_token),
        (true, true, false, 6, 0, true)
    );
    let first = frames(&[START]).len();
    let second =
        event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hi \""},"p":"abcdefg"}"#);
    assert_eq!(
        assembled.first_token,
        Some((first + second.len()) as u64),
        "the end of the frame with a text"
    );
}

#[test]
fn calls_get_their_input_as_json() {
    let call = |index: u32| {
        format!(
            r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"name":"f","toolUseId":"t{index}"}}}}}}"#
        )
    };
    let piece = |index: u32, text: &str| {
        let input = Value::from(text);
        format!(r#"{{"contentBlockIndex":{index},"delta":{{"toolUse":{{"input":{input}}}}}}}"#)
    };
    let events = [
        ("contentBlockStart", call(2)),
        ("contentBlockStart", call(1)),
        ("contentBlockStart", call(7)),
        ("contentBlockDelta", piece(1, "")),
        ("contentBlockDelta", piece(2, "{\"a\":[1,\"\\u00e9")),
        ("contentBlockDelta", piece(7, "{\"a\":")),
        ("contentBlockDelta", piece(2, "\\n\"]}")),
    ];
    let events: Vec<_> = events.iter().map(|(name, payload)| (*name, &**payload)).collect();
    let call = |index: u32, input: Value| json!({"toolUse": {"name": "f", "toolUseId": format!("t{index}"), "input": input}});
    let calls = [call(1, json!({})), call(2, json!({"a": [1, "é\n"]})), call(7, "{\"a\":".into())];
    assert_eq!(content(&events), json!(calls), "in the order of the indices; a cut input stays a string");
}

#[test]
fn reasoning_results_citations_and_images_have_the_places_of_the_unstreamed_response() {
    let delta = |index: u32, delta: &str| format!(r#"{{"contentBlockIndex":{index},"delta":{delta}}}"#);
    let events = [
        ("contentBlockDelta", delta(0, r#"{"reasoningContent":{"text":"a"}}"#)),
        ("contentBlockDelta", delta(0, r#"{"reasoningContent":{"text":"b"}}"#)),
        ("contentBlockDelta", delta(0, r#"{"reasoningContent":{"signature":"s"}}"#)),
        ("contentBlockDelta", delta(1, r#"{"reasoningContent":{"redactedContent":"cmVk"}}"#)),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":2,"start":{"toolResult":{"toolUseId":"t","status":"success"}}}"#.into(),
        ),
        ("contentBlockDelta", delta(2, r#"{"toolResult":[{"text":"x"}]}"#)),
        ("contentBlockDelta", delta(2, r#"{"toolResult":[{"json":{"a":1e999}}]}"#)),
        ("contentBlockDelta", delta(3, r#"{"text":"c"}"#)),
        ("contentBlockDelta", delta(3, r#"{"citation":{"title":"1"}}"#)),
        ("contentBlockDelta", delta(3, r#"{"citation":{"title":"2"}}"#)),
        ("contentBlockDelta", delta(4, r#"{"citation":{"title":"3"}}"#)),
        ("contentBlockStart", r#"{"contentBlockIndex":5,"start":{"image":{"format":"png"}}}"#.into()),
        ("contentBlockDelta", delta(5, r#"{"image":{"source":{"bytes":"aW1h"}}}"#)),
        ("contentBlockDelta", delta(5, r#"{"image":{"source":{"bytes":"Z2U="}}}"#)),
        ("contentBlockDelta", delta(6, r#"{"text":""}"#)),
    ];
    let events: Vec<_> = events.iter().map(|(name, payload)| (*name, &**payload)).collect();
    let stream = frames(&[&[START], &events[..], &[STOP, METADATA]].concat());
    let json = assembled(Operation::BedrockConverse, &stream, None).json;
    let expected = concat!(
        r#"[{"reasoningContent":{"reasoningText":{"text":"ab","signature":"s"}}},"#,
        r#"{"reasoningContent":{"redactedContent":"cmVk"}},"#,
        r#"{"toolResult":{"toolUseId":"t","status":"success","content":[{"text":"x"},{"json":{"a":1e999}}]}},"#,
        r#"{"citationsContent":{"content":[{"text":"c"}],"citations":[{"title":"1"},{"title":"2"}]}},"#,
        r#"{"citationsContent":{"citations":[{"title":"3"}]}},"#,
        r#"{"image":{"format":"png","source":{"bytes":"aW1hZ2U="}}},{"text":""}]"#
    );
    assert!(json.contains(expected), "{json}");
}

#[test]
fn each_kind_of_output_is_a_token_and_nothing_else_is() {
    for (name, payload, is_token) in [
        ("contentBlockDelta", r#"{"delta":{"text":"a"}}"#, true),
        ("contentBlockDelta", r#"{"delta":{"text":""}}"#, false),
        ("contentBlockStart", r#"{"start":{"toolUse":{}}}"#, true),
        ("contentBlockDelta", r#"{"delta":{"toolUse":{"input":""}}}"#, true),
        ("contentBlockDelta", r#"{"delta":{"reasoningContent":{"text":"a"}}}"#, true),
        ("contentBlockDelta", r#"{"delta":{"reasoningContent":{"redactedContent":"a"}}}"#, true),
        ("contentBlockDelta", r#"{"delta":{"reasoningContent":{"text":""}}}"#, false),
        ("contentBlockDelta", r#"{"delta":{"image":{}}}"#, true),
        ("contentBlockDelta", r#"{"delta":{"toolResult":[]}}"#, false),
        ("messageStart", r#"{"role":"assistant"}"#, false),
        STOP.into_token(),
        METADATA.into_token(),
    ] {
        assert_eq!(converse(&[(name, payload)]).1.has_token, is_token, "{name} {payload}");
    }
}

trait IntoToken<'a> {
    fn into_token(self) -> (&'a str, &'a str, bool);
}

impl<'a> IntoToken<'a> for (&'a str, &'a str) {
    fn into_token(self) -> (&'a str, &'a str, bool) {
        (self.0, self.1, false)
    }
}

#[test]
fn a_stream_is_done_with_its_usage_and_finished_with_its_stop_reason() {
    let text = ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#);
    for (events, expected) in [
        (&[START, text][..], (false, false)),
        (&[START, text, STOP], (false, true)),
        (&[START, text, STOP, METADATA], (true, true)),
        (&[START, text, METADATA], (false, false)),
    ] {
        let (response, progress) = converse(events);
        assert_eq!((progress.is_done, progress.is_finished), expected);
        assert_eq!(response["output"]["message"]["content"], json!([{"text": "a"}]));
    }
}

#[test]
fn exceptions_and_errors_stand_on_top_beside_all_that_arrived() {
    let text = event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#);
    for (frame, expected) in [
        (
            exception("throttlingException", r#"{"message":"Slow \"down\"","p":"a"}"#),
            json!({"type": "throttlingException", "message": "Slow \"down\""}),
        ),
        (
            exception("modelStreamErrorException", r#"{"message":"m","originalStatusCode":500}"#),
            json!({"type": "modelStreamErrorException", "message": "m", "originalStatusCode": 500}),
        ),
        (exception("x\"y", "no JSON\n"), json!({"type": "x\"y", "message": "no JSON\n"})),
        (
            error("InternalError", "Something\nbroke"),
            json!({"type": "InternalError", "message": "Something\nbroke"}),
        ),
    ] {
        let (response, progress) =
            read(&assembled(Operation::BedrockConverse, &[&text[..], &frame].concat(), None));
        assert_eq!((&response["error"], progress.has_error, progress.is_done), (&expected, true, false));
        assert_eq!(response["output"]["message"]["content"], json!([{"text": "a"}]));
        assert_eq!((progress.chunks, progress.skipped), (2, 0));
    }
}

#[test]
fn unknown_and_unreadable_events_are_counted_and_never_fatal() {
    let mut stream =
        frames(&[START, ("newEvent", r#"{"a":1}"#), ("a\"b", "{}"), ("messageStop", "[1"), STOP, METADATA]);
    let (response, progress) = read(&assembled(Operation::BedrockConverse, &stream, None));
    assert_eq!((progress.chunks, progress.skipped, progress.is_done), (6, 3, true));
    assert_eq!(response["stopReason"], "end_turn");
    // A frame that is cut off counts as one that cannot be read.
    stream.extend(&event("a", "{}")[..9]);
    let progress = assembled(Operation::BedrockConverse, &stream, None).progress;
    assert_eq!((progress.chunks, progress.skipped), (7, 4));
}

#[test]
fn a_truncated_stream_is_marked() {
    let stream = frames(&[START]);
    let (response, _) = read(&assembled(Operation::BedrockConverse, &stream, Some(Node::number(7))));
    assert_eq!(
        response,
        json!({"output": {"message": {"role": "assistant", "content": []}}, "truncated": 7})
    );
}
