#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::PROVIDER;
use super::chat::CohereChatAssembler;
use super::legacy::CohereLegacyAssembler;
use crate::codec::allowance::Allowance;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The text of the assembled response of these events, and the progress.
fn text<'a, A: StreamAssembler<'a>>(
    operation: Operation,
    events: impl IntoIterator<Item = &'a str>,
) -> (String, Progress) {
    let (mut assembler, mut progress) = (A::default(), Progress::default());
    for event in events {
        assert!(assembler.push(b"", event.as_bytes(), &mut progress), "{event}");
    }
    (assembler.finish(operation, &mut progress), progress)
}

fn chat(events: &[&str]) -> (Value, Progress) {
    let (text, progress) = text::<CohereChatAssembler<'_>>(Operation::CohereChat, events.iter().copied());
    (serde_json::from_str(&text).unwrap(), progress)
}

fn legacy(operation: Operation, events: &[&str]) -> (Value, Progress) {
    let (text, progress) = text::<CohereLegacyAssembler<'_>>(operation, events.iter().copied());
    (serde_json::from_str(&text).unwrap(), progress)
}

const START: &str = r#"{"id":"i","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#;
const END: &str = r#"{"type":"message-end","delta":{"error":null,"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":0.10,"output_tokens":1e999}}}}"#;

#[test]
fn pieces_of_content_and_citations_are_joined_by_their_index() {
    let events = [
        START,
        r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
        r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"a\u00e9"}}},"logprobs":{"text":"a"}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"h"}}}}"#,
        r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"\n"}}},"logprobs":{"text":"b"}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"m"}}}}"#,
        r#"{"type":"citation-start","index":1,"delta":{"message":{"citations":{"start":3,"text":"x"}}}}"#,
        r#"{"type":"citation-end","index":1}"#,
        r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":1,"text":"y"}}}}"#,
        r#"{"type":"content-end","index":1}"#,
        r#"{"type":"debug","prompt":"p"}"#,
        END,
    ];
    let (response, progress) = text::<CohereChatAssembler<'_>>(Operation::CohereChat, events);
    assert_eq!(
        response,
        concat!(
            r#"{"id":"i","message":{"role":"assistant","#,
            r#""content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a\u00e9\n"}],"#,
            r#""citations":[{"start":1,"text":"y"},{"start":3,"text":"x"}]},"#,
            r#""finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":0.10,"output_tokens":1e999}},"#,
            r#""logprobs":[{"text":"a"},{"text":"b"}]}"#,
        )
    );
    assert!(progress.is_done && progress.is_finished && progress.has_token && !progress.has_error);
    assert_eq!((progress.chunks, progress.skipped), (13, 0));
}

#[test]
fn a_tool_plan_and_the_arguments_of_calls_grow() {
    let (response, progress) = chat(&[
        START,
        r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I "}}}"#,
        r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"will"}}}"#,
        r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
        r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"f_2","type":"function","function":{"name":"f","arguments":"{}"}}}}}"#,
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\""}}}}}"#,
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":":1}"}}}}}"#,
        r#"{"type":"tool-call-end","index":0}"#,
    ]);
    assert_eq!(
        response["message"],
        json!({"role": "assistant", "tool_plan": "I will", "tool_calls": [
            {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"id": "f_2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]})
    );
    assert!(progress.has_token && !progress.is_done && !progress.is_finished, "the stream was cut off");
}

#[test]
fn an_error_stands_beside_everything_that_arrived_before_it() {
    for (event, error, is_done) in [
        (
            r#"{"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"bad","error_type":"T"}}"#,
            json!("bad"),
            true,
        ),
        (r#"{"message":"slow down","id":"e"}"#, json!({"message": "slow down", "id": "e"}), false),
        (r#"{"type":"error","error":{"code":1}}"#, json!({"code": 1}), false),
    ] {
        let delta = r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}"#;
        let (response, progress) = chat(&[START, delta, event]);
        assert_eq!(response["error"], error);
        assert_eq!(response["message"]["content"], json!([{"text": "a"}]));
        assert_eq!((progress.has_error, progress.is_done, progress.skipped), (true, is_done, 0), "{event}");
    }
}

#[test]
fn events_without_a_type_or_of_an_unknown_type_lose_no_content() {
    let (mut assembler, mut progress) = (CohereChatAssembler::default(), Progress::default());
    for (name, data) in [
        (
            "message-start",
            r#"{"id":"i","delta":{"message":{"role":"assistant","content":[{"type":"text","text":"a"}]}}}"#,
        ),
        ("content-delta", r#"{"index":0,"delta":{"message":{"content":{"text":"b"}}}}"#),
        ("later", r#"{"delta":{"message":{"new":1},"newer":2}}"#),
        ("unknown", r#"{"x":1}"#),
        ("message-end", r#"{"delta":{"finish_reason":"COMPLETE"}}"#),
    ] {
        assert!(assembler.push(name.as_bytes(), data.as_bytes(), &mut progress));
    }
    let response: Value =
        serde_json::from_str(&assembler.finish(Operation::CohereChat, &mut progress)).unwrap();
    let message = json!({"role": "assistant", "new": 1, "content": [{"type": "text", "text": "ab"}]});
    assert_eq!(response, json!({"id": "i", "message": message, "newer": 2, "finish_reason": "COMPLETE"}));
    assert_eq!((progress.is_done, progress.chunks, progress.skipped), (true, 5, 1));
}

#[test]
fn the_last_event_of_the_older_interfaces_has_the_whole_response() {
    let end = r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"id":"i","n":1e999,"text":"ab"}}"#;
    let events = [r#"{"event_type":"text-generation","text":"a","is_finished":false}"#, end];
    for (operation, expected) in [
        (Operation::CohereChatV1, r#"{"id":"i","n":1e999,"text":"ab","finish_reason":"COMPLETE"}"#),
        (Operation::CohereGenerate, r#"{"id":"i","n":1e999,"text":"ab"}"#),
    ] {
        let (response, progress) = text::<CohereLegacyAssembler<'_>>(operation, events);
        assert_eq!(response, expected);
        assert!(progress.is_done && progress.is_finished && progress.has_token);
    }
}

#[test]
fn without_its_last_event_a_chat_is_rebuilt() {
    let events = [
        r#"{"event_type":"stream-start","generation_id":"g","is_finished":false}"#,
        r#"{"event_type":"search-queries-generation","search_queries":[{"text":"q"}]}"#,
        r#"{"event_type":"search-results","search_results":[{}],"documents":[{"id":"d"}]}"#,
        r#"{"event_type":"text-generation","text":"a\""}"#,
        r#"{"event_type":"citation-generation","citations":[{"start":0}]}"#,
        r#"{"event_type":"citation-generation","citations":[{"start":1}]}"#,
        r#"{"event_type":"tool-calls-chunk","text":"b"}"#,
        r#"{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"name":"f"}}"#,
        r#"{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"{\"a\":"}}"#,
        r#"{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"1}"}}"#,
        r#"{"event_type":"tool-calls-generation","text":"a\"b","tool_calls":[{"name":"f","parameters":{"a":1}}]}"#,
    ];
    let mut expected = json!({
        "generation_id": "g",
        "search_queries": [{"text": "q"}],
        "search_results": [{}],
        "documents": [{"id": "d"}],
        "citations": [{"start": 0}, {"start": 1}],
        "text": "a\"b",
        "tool_calls": [{"name": "f", "parameters": {"a": 1}}],
    });
    let (response, progress) = legacy(Operation::CohereChatV1, &events);
    assert_eq!(response, expected);
    assert!(progress.has_token && !progress.is_done && !progress.is_finished);

    let (response, _) = legacy(Operation::CohereChatV1, &events[..10]);
    expected["tool_calls"] = json!([{"name": "f", "parameters": "{\"a\":1}"}]);
    assert_eq!(response, expected);
}

#[test]
fn without_its_last_event_each_generation_is_rebuilt() {
    let (response, progress) = legacy(
        Operation::CohereGenerate,
        &[
            r#"{"event_type":"text-generation","text":"b","index":1}"#,
            r#"{"event_type":"text-generation","text":"a"}"#,
            r#"{"event_type":"text-generation","text":"c","index":1}"#,
            r#"{"event_type":"stream-error","finish_reason":"ERROR","err":"bad","is_finished":true}"#,
        ],
    );
    assert_eq!(response, json!({"generations": [{"text": "a"}, {"text": "bc"}], "error": "bad"}));
    assert!(progress.has_error && !progress.is_done);
}

#[test]
fn items_and_far_indices_without_end_take_bounded_memory() {
    let starts = (0..200_000_u64).map(|index| {
        let index = index * 1_000_000_000;
        format!(r#"{{"type":"tool-call-start","index":{index},"delta":{{"message":{{"tool_calls":{{"id":"x"}}}}}}}}"#)
    });
    let stream = starts.collect::<Vec<_>>().join("\n");
    let (progress, cost) = Allowance::LARGE.within(|| {
        let events = stream.lines();
        let (response, progress) = text::<CohereChatAssembler<'_>>(Operation::CohereChat, events);
        assert!(response.len() < 1_000_000);
        progress
    });
    assert!(progress.skipped > 180_000 && cost.peak <= Allowance::LARGE.nodes, "{cost:?}");
}

#[test]
fn generations_beyond_the_most_are_skipped_and_counted() {
    let event =
        |index: u64| format!(r#"{{"event_type":"text-generation","text":"a","index":{index}000000000}}"#);
    let events: Vec<String> = (1..=2_000).map(event).collect();
    let events = events.iter().map(String::as_str);
    let (response, progress) = text::<CohereLegacyAssembler<'_>>(Operation::CohereGenerate, events);
    let response: Value = serde_json::from_str(&response).unwrap();
    assert_eq!((response["generations"].as_array().unwrap().len(), progress.skipped), (1_024, 976));
}

#[test]
fn a_list_that_every_event_sends_again_costs_no_more_than_its_bytes() {
    let call = format!(r#"{{"tool_calls":[{}{{}}]}}"#, "{},".repeat(5_000));
    let mut events = vec![format!(r#"{{"type":"content-delta","delta":{{"message":{call}}}}}"#); 500];
    events.push(END.to_owned());
    let length: usize = events.iter().map(String::len).sum();
    let (response, cost) = Allowance::LARGE.within(|| {
        text::<CohereChatAssembler<'_>>(Operation::CohereChat, events.iter().map(String::as_str)).0
    });
    assert!(!cost.is_exhausted && response.len() < length && cost.peak <= Allowance::LARGE.nodes, "{cost:?}");
}

#[test]
fn paths_of_chats_and_generations_are_recognised_under_any_prefix() {
    for (path, expected) in [
        ("/v2/chat", Some(Operation::CohereChat)),
        ("/cohere/v2/chat", Some(Operation::CohereChat)),
        ("/v1/chat", Some(Operation::CohereChatV1)),
        ("/v1/generate", Some(Operation::CohereGenerate)),
        ("/v3/chat", None),
        ("/chat", None),
        ("/dev2/chat", None),
        ("/v1/embed", None),
        ("/v1/rerank", None),
        ("/v1/chat/completions", None),
        ("", None),
    ] {
        assert_eq!((PROVIDER.recognise)(path), expected, "{path}");
    }
}

#[test]
fn an_error_is_told_from_a_response_and_has_the_shape_of_cohere() {
    for row in PROVIDER.operations {
        for (response, is_error) in [
            (r#"{"id":"i","message":"too many tokens"}"#, true),
            (r#"{"message":{"content":[]},"finish_reason":"ERROR"}"#, false),
            (r#"{"text":"a","message":"b"}"#, false),
            (r#"{"generations":[],"message":"b"}"#, false),
            (r#"{"message":{}}"#, false),
            ("[]", false),
        ] {
            assert_eq!((row.is_error)(response.as_bytes()), is_error, "{response}");
        }
        let error = (row.error)("refused", "No.", row.placeholders.response);
        assert_eq!(error.to_json(), r#"{"message":"No.","error_type":"refused"}"#);
    }
}

#[test]
fn a_stream_without_any_text_has_what_consoles_expect_unless_it_is_an_error() {
    let error = r#"{"error":{"code":1}}"#;
    assert_eq!(text::<CohereChatAssembler<'_>>(Operation::CohereChat, [error]).0, error);
    assert_eq!(text::<CohereLegacyAssembler<'_>>(Operation::CohereChatV1, [error]).0, error);
    assert_eq!(text::<CohereLegacyAssembler<'_>>(Operation::CohereGenerate, [error]).0, error);
    let truncated = |mut assembler: CohereLegacyAssembler<'static>, operation| {
        assembler.mark_truncated(crate::codec::json::Node::NULL);
        assembler.finish(operation, &mut Progress::default())
    };
    let mut chat = CohereChatAssembler::default();
    chat.mark_truncated(crate::codec::json::Node::NULL);
    let chat = chat.finish(Operation::CohereChat, &mut Progress::default());
    assert_eq!(chat, r#"{"truncated":null,"message":{}}"#);
    let chat = truncated(CohereLegacyAssembler::default(), Operation::CohereChatV1);
    assert_eq!(chat, r#"{"text":"","truncated":null}"#);
    let generation = truncated(CohereLegacyAssembler::default(), Operation::CohereGenerate);
    assert_eq!(generation, r#"{"generations":[],"truncated":null}"#);
}
