#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod hostile;
mod properties;

use std::cell::OnceCell;

use serde_json::{Value, json};

use super::MessageAssembler;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, Progress, RecordedStream, assemble};

fn assembled(stream: &str) -> Assembled {
    let stream = RecordedStream {
        bytes: stream.as_bytes(),
        framing: Framing::Events,
        end_marker: EndMarker(Some("[DONE]")),
        mended: &OnceCell::new(),
        truncated: None,
        charge: &|_| true,
    };
    assemble::<MessageAssembler<'_>>(stream, Operation::Chat)
}

/// The assembled message of these events, and the progress.
fn message(events: &[Value]) -> (Value, Progress) {
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let Assembled { json, progress, .. } = assembled(&stream);
    (serde_json::from_str(&json).unwrap(), progress)
}

/// The content of a message of these events.
fn content(events: &[Value]) -> Value {
    message(&[&[start("a")], events].concat()).0["content"].take()
}

fn start(id: &str) -> Value {
    let usage = json!({"input_tokens": 5, "output_tokens": 1, "service_tier": "standard"});
    let message = json!({"id": id, "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage});
    json!({"type": "message_start", "message": message})
}

fn open(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, kind: &str, key: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, key: value}})
}

fn text(index: u64, text: &str) -> Value {
    delta(index, "text_delta", "text", text)
}

fn input(index: u64, piece: &str) -> Value {
    delta(index, "input_json_delta", "partial_json", piece)
}

fn stop(reason: &str) -> [Value; 2] {
    let usage = json!({"output_tokens": 9, "input_tokens": null});
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}),
        json!({"type": "message_stop"}),
    ]
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "f", "input": {}})
}

#[test]
fn a_stream_becomes_the_message_of_the_unstreamed_call() {
    let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"type\":\"message\",\
        \"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":\
        {\"type\":\"text\",\"text\":\"\"}}\n\n\
        event: ping\ndata: {\"type\": \"ping\"}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
        {\"type\":\"text_delta\",\"text\":\"Hel\"}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
        {\"type\":\"text_delta\",\"text\":\"lo\\n\"}       }\n\n\
        event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
        \"usage\":{\"output_tokens\":9}    }\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let whole = r#"{"id":"a","type":"message","content":[{"type":"text","text":"Hello\n"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":9}}"#;
    let Assembled { json, progress, .. } = assembled(stream);
    assert_eq!(json, whole);
    assert!(progress.is_done && progress.is_finished && progress.has_token && !progress.has_error);
    assert_eq!((progress.chunks, progress.skipped), (8, 0));

    let without_names: String =
        stream.lines().filter(|line| !line.starts_with("event")).map(|line| format!("{line}\n")).collect();
    assert_eq!(assembled(&without_names).json, whole, "the type in the data counts");
    let end = stream.find("event: message_stop").unwrap();
    let progress = assembled(&stream[..end]).progress;
    assert!(!progress.is_done && !progress.is_finished, "a stream without its terminal event is not done");
    let ended = format!("{stream}event: data\ndata: [DONE]\n\n");
    assert_eq!(assembled(&ended).json, whole, "OpenRouter ends with a marker");
}

#[test]
fn thoughts_grow_a_signature_is_set_and_citations_are_collected() {
    let events = [
        open(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, "thinking_delta", "thinking", ""),
        delta(0, "thinking_delta", "thinking", "We"),
        delta(0, "thinking_delta", "thinking", "ll"),
        delta(0, "signature_delta", "signature", "x"),
        delta(0, "signature_delta", "signature", "s"),
        open(1, &json!({"type": "redacted_thinking", "data": "d"})),
        open(2, &json!({"type": "text", "text": "", "citations": null})),
        delta(2, "citations_delta", "citation", json!({"cited_text": "a"})),
        text(2, "b"),
        delta(2, "citations_delta", "citation", json!({"cited_text": "c"})),
        open(3, &json!({"type": "text", "text": "", "citations": [1]})),
        delta(3, "citations_delta", "citation", 2),
    ];
    assert_eq!(
        content(&events),
        json!([
            {"type": "thinking", "thinking": "Well", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "b", "citations": [{"cited_text": "a"}, {"cited_text": "c"}]},
            {"type": "text", "text": "", "citations": [1, 2]},
        ])
    );
}

#[test]
fn the_input_of_any_call_is_json_and_as_it_was_streamed() {
    let server_call = json!({"type": "server_tool_use", "id": "2", "name": "web_search", "input": {}});
    let whole = json!({"type": "tool_use", "id": "3", "name": "f", "input": {"x": 1}});
    let events = [
        start("a"),
        open(0, &call("1")),
        input(0, ""),
        input(0, "{\"a\": 1e999, \"b\":"),
        input(0, " 0.10, \"b\": \"\\u00e9\\n\"}"),
        open(1, &server_call),
        input(1, "{\"query\":\"q\"}"),
        open(2, &whole),
        input(2, ""),
        open(3, &call("4")),
    ];
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let json = assembled(&stream).json;
    for input in [
        r#""input":{"a": 1e999, "b": 0.10, "b": "\u00e9\n"},"#,
        r#""input":{"query":"q"},"#,
        r#""input":{"x":1},"#,
        r#""input":{},"#,
    ] {
        assert!(json.contains(input), "{input} in {json}");
    }
}

#[test]
fn input_that_was_cut_off_stays_a_string() {
    for cut in ["{\"a\": \"\u{e9}\\\"", "{}}", "\u{feff}{}", " ", "NaN"] {
        let content = content(&[open(0, &call("1")), input(0, cut), stop("max_tokens")[0].clone()]);
        assert_eq!(content[0]["input"], cut);
    }
    let half = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"\ud83d\""}}"#;
    let json = assembled(&format!("data: {half}\n\n")).json;
    assert!(json.contains(r#""input":"\"\ud83d\"""#), "half a surrogate pair: {json}");
}

#[test]
fn unknown_blocks_are_kept_as_sent_and_unknown_deltas_and_events_are_counted() {
    let block = json!({"type": "hologram", "beam": [{"x": 1}]});
    let events = [
        start("a"),
        open(0, &block),
        delta(0, "beam_delta", "beam", 2),
        json!({"type": "content_block_delta", "index": 0}),
        json!({"type": "weather", "text": "fine"}),
        json!({"type": "content_block_start", "index": 1, "content_block": "text"}),
        json!({"type": "message_start"}),
    ];
    let (message, progress) = message(&events);
    assert_eq!(message["content"], json!([block]));
    assert_eq!((progress.chunks, progress.skipped), (7, 5));
}

#[test]
fn a_message_that_starts_with_blocks_keeps_them_before_those_of_events() {
    let mut start = start("a");
    start["message"]["content"] = json!([call("1"), call("2")]);
    let (message, progress) = message(&[start, open(2, &call("3")), input(1, "[1]")]);
    assert_eq!(message["content"][1]["input"], json!([1]));
    assert_eq!(message["content"][2]["id"], "3");
    assert!(progress.has_token);
}

#[test]
fn a_fallback_changes_the_model_and_a_compaction_sets_its_content() {
    let fallback = json!({"type": "fallback", "from": {"model": "claude"}, "to": {"model": "other"}});
    let compaction = json!({"type": "compaction", "content": null});
    let events = [
        start("a"),
        open(0, &fallback),
        open(1, &compaction),
        delta(1, "compaction_delta", "content", "summary"),
        delta(1, "compaction_delta", "encrypted_content", "e"),
    ];
    let message = message(&events).0;
    assert_eq!(message["model"], "other");
    let compaction = json!({"type": "compaction", "content": "summary", "encrypted_content": "e"});
    assert_eq!(message["content"], json!([fallback, compaction]));
}

#[test]
fn the_usage_has_the_latest_totals_and_other_fields_the_last_value() {
    let metrics = json!({"inputTokenCount": 5});
    let events = [
        start("a"),
        json!({"type": "message_delta", "delta": {"stop_reason": "pause_turn", "container": {"id": "c"}},
            "usage": {"output_tokens": 3, "cache": {"a": 1}}, "context_management": null}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": null},
            "usage": {"output_tokens": 7, "input_tokens": null, "cache": {"b": 2}},
            "context_management": {"applied_edits": []}}),
        json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}),
    ];
    let (message, progress) = message(&events);
    let usage = json!({"input_tokens": 5, "output_tokens": 7, "service_tier": "standard", "cache": {"b": 2}});
    assert_eq!(message["usage"], usage);
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(message["container"], json!({"id": "c"}));
    assert_eq!(message["context_management"], json!({"applied_edits": []}));
    assert_eq!(message["amazon-bedrock-invocationMetrics"], metrics);
    assert!(progress.is_done && progress.is_finished);
}

#[test]
fn a_repeated_start_changes_nothing_and_another_one_starts_over() {
    let begun = [start("a"), open(0, &call("1")), input(0, "{")];
    let again = message(&[&begun[..], &[start("a"), input(0, "}")]].concat()).0;
    assert_eq!(again["content"], json!([call("1")]));

    let error = json!({"type": "error", "error": {"type": "overloaded_error"}});
    let retried = [&begun[..], &[error, start("b"), open(0, &json!({"type": "text", "text": "x"}))]].concat();
    let (retried, progress) = message(&retried);
    assert_eq!(retried["id"], "b");
    assert_eq!(retried["content"], json!([{"type": "text", "text": "x"}]));
    assert!(retried.get("error").is_none() && !progress.has_error);
}

#[test]
fn an_error_in_the_middle_stands_beside_all_that_had_arrived() {
    let inner = json!({"details": null, "type": "overloaded_error", "message": "Overloaded"});
    for (error, shown) in [
        (json!({"type": "error", "error": inner}), inner.clone()),
        (json!({"error": inner}), inner.clone()),
        (json!({"type": "error", "message": "x"}), json!({"type": "error", "message": "x"})),
    ] {
        let (message, progress) =
            message(&[start("a"), open(0, &json!({"type": "text", "text": "x"})), error]);
        assert_eq!(message["error"], shown);
        assert_eq!(message["content"][0]["text"], "x");
        assert!(progress.has_error && !progress.is_done && !progress.is_finished);
        assert_eq!(progress.skipped, 0);
    }
}

#[test]
fn the_first_token_is_a_text_a_thought_a_call_or_a_refusal() {
    let has_token = |event: Value| message(&[start("a"), event]).1.has_token;
    for event in [
        open(0, &call("1")),
        open(0, &json!({"type": "mcp_tool_use"})),
        open(0, &json!({"type": "redacted_thinking", "data": "d"})),
        open(0, &json!({"type": "text", "text": "x"})),
        text(0, "x"),
        delta(0, "thinking_delta", "thinking", "x"),
        input(0, "{"),
        stop("refusal")[0].clone(),
    ] {
        assert!(has_token(event.clone()), "{event}");
    }
    for event in [
        open(0, &json!({"type": "text", "text": ""})),
        open(0, &json!({"type": "thinking", "thinking": ""})),
        open(0, &json!({"type": "fallback"})),
        text(0, ""),
        delta(0, "signature_delta", "signature", "x"),
        stop("end_turn")[0].clone(),
        json!({"type": "ping"}),
    ] {
        assert!(!has_token(event.clone()), "{event}");
    }
}

#[test]
fn deltas_without_a_start_or_an_index_are_kept_too() {
    let thought =
        json!({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "t"}});
    let (message, _) = message(&[text(7, "x"), text(7, "y"), thought, input(3, "{}")]);
    assert_eq!(
        message,
        json!({"content": [
            {"type": "tool_use", "input": {}},
            {"type": "text", "text": "xy", "thinking": "t"},
        ]})
    );
}

#[test]
fn blocks_that_share_an_index_are_all_kept() {
    let block = |text: &str| json!({"type": "text", "text": text});
    let events = [open(0, &block("")), text(0, "a"), open(0, &block("")), text(0, "b"), text(0, "c")];
    assert_eq!(content(&events), json!([block("a"), block("bc")]));
}

#[test]
fn a_message_in_one_event_is_whole() {
    let mut whole = start("a")["message"].take();
    whole["content"] = json!([{"type": "text", "text": "x"}]);
    whole["stop_reason"] = "end_turn".into();
    let (message, progress) = message(&[whole.clone()]);
    assert_eq!(message, whole);
    assert!(progress.is_done && progress.is_finished && progress.has_token);
}
