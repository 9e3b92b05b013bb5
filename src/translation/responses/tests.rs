#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::assembly::Assembly;
use super::super::chunk::Progress;
use super::{MOST_ITEMS, MOST_PARTS, answer, question};
use crate::endpoint::Endpoint;

/// The response that these events add up to.
fn response(events: &[Value]) -> (Value, Progress) {
    let events: Vec<String> = events.iter().map(Value::to_string).collect();
    let mut assembly = Assembly::of(Endpoint::Responses);
    events.iter().for_each(|event| assembly.add(b"", event.as_bytes()));
    let progress = assembly.progress;
    (serde_json::from_str(&assembly.finish(Endpoint::Responses)).unwrap(), progress)
}

fn translated(response: &Value) -> Value {
    let raw = RawValue::from_string(response.to_string()).unwrap();
    serde_json::from_str(&answer(&raw).unwrap().json).unwrap()
}

/// The message of the chat that these events add up to.
fn message(events: &[Value]) -> Value {
    translated(&response(events).0)["choices"][0]["message"].take()
}

/// What a message says: its content, its reasoning, and its calls as id, name and arguments.
fn said(events: &[Value]) -> Value {
    let message = message(events);
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let calls: Vec<Value> = calls
        .iter()
        .map(|call| json!([call["id"], call["function"]["name"], call["function"]["arguments"]]))
        .collect();
    json!([message["content"], message["reasoning_content"], calls])
}

/// An event with these fields besides its type.
fn event(kind: &str, mut fields: Value) -> Value {
    fields["type"] = json!(format!("response.{kind}"));
    fields
}

fn added(item: Value) -> Value {
    event("output_item.added", json!({"item": item}))
}

fn done(item: Value) -> Value {
    event("output_item.done", json!({"item": item}))
}

fn delta(kind: &str, delta: &str) -> Value {
    event(&format!("{kind}.delta"), json!({"delta": delta}))
}

fn with(mut event: Value, key: &str, value: impl Into<Value>) -> Value {
    event[key] = value.into();
    event
}

fn message_item(id: &str) -> Value {
    json!({"type": "message", "id": id, "role": "assistant", "content": []})
}

fn reasoning_item(id: &str) -> Value {
    json!({"type": "reasoning", "id": id, "summary": []})
}

fn call_item(call_id: &str, name: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments})
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn whole(output: &Value) -> Value {
    json!({"id": "resp_1", "object": "response", "status": "completed", "output": output})
}

#[test]
fn items_without_indices_are_told_apart_by_their_ids_and_their_order() {
    let arguments = |id: &str, text: &str| with(delta("function_call_arguments", text), "item_id", id);
    let events = [
        added(reasoning_item("rs_1")),
        with(delta("reasoning_text", "Hmm"), "item_id", "rs_1"),
        added(call_item("call_1", "f1", "")),
        arguments("call_1", "{\"a\":"),
        added(call_item("call_2", "f2", "")),
        arguments("call_2", "{\"b\":2}"),
        arguments("call_1", "1}"),
        added(message_item("msg_1")),
        with(delta("output_text", "Hello"), "item_id", "msg_1"),
    ];
    let expected = json!(["Hello", "Hmm", [["call_1", "f1", "{\"a\":1}"], ["call_2", "f2", "{\"b\":2}"]]]);
    assert_eq!(said(&events), expected);
}

#[test]
fn items_without_indices_and_ids_are_told_apart_by_their_order() {
    let arguments = |text: &str| delta("function_call_arguments", text);
    let call =
        |name: &str, arguments: &str| json!({"type": "function_call", "name": name, "arguments": arguments});
    for with_done in [true, false] {
        let mut events = vec![
            added(json!({"type": "reasoning"})),
            delta("reasoning_text", "Hmm"),
            added(call("f1", "")),
            arguments("{\"a\""),
            arguments(":1}"),
        ];
        events.extend(with_done.then(|| done(call("f1", "{\"a\":1}"))));
        events.extend([added(call("f2", "")), arguments("{}"), delta("output_text", "Hello")]);
        let expected = json!(["Hello", "Hmm", [[null, "f1", "{\"a\":1}"], [null, "f2", "{}"]]]);
        assert_eq!(said(&events), expected);
    }
}

#[test]
fn the_id_of_an_item_counts_more_than_its_index() {
    let events = [
        with(added(reasoning_item("rs_1")), "output_index", 0),
        with(with(delta("reasoning_text", "Say hi."), "item_id", "rs_1"), "output_index", 0),
        with(added(message_item("msg_1")), "output_index", 1),
        with(with(delta("output_text", "Hel"), "item_id", "msg_1"), "output_index", 0),
        with(with(delta("reasoning_text", " Now."), "item_id", "rs_1"), "output_index", 7),
        with(with(delta("output_text", "lo"), "item_id", "msg_1"), "output_index", 1_000_000_000),
    ];
    assert_eq!(said(&events), json!(["Hello", "Say hi. Now.", []]));
}

#[test]
fn an_item_with_a_new_id_is_a_new_one_even_at_a_known_index() {
    let events = [
        with(added(message_item("msg_1")), "output_index", 0),
        with(delta("output_text", "one "), "item_id", "msg_1"),
        with(added(message_item("msg_2")), "output_index", 0),
        with(with(delta("output_text", "two"), "item_id", "msg_2"), "output_index", 0),
        with(delta("output_text", "and "), "item_id", "msg_1"),
    ];
    let (response, _) = response(&events);
    assert_eq!(response["output"].as_array().unwrap().len(), 2);
    assert_eq!(said(&events)[0], "one and two");
}

#[test]
fn ids_that_change_within_an_item_do_no_harm_while_its_index_stays() {
    let item = |id: &str, text: &str| json!({"type": "message", "id": id, "content": [text_part(text)]});
    let text =
        |id: &str, text: &str| with(with(delta("output_text", text), "item_id", id), "output_index", 0);
    let mut events =
        vec![with(added(message_item("a")), "output_index", 0), text("b", "Hel"), text("c", "lo")];
    assert_eq!(said(&events)[0], "Hello");
    // An item that is done twice is one item.
    for _ in 0..2 {
        events.push(with(done(item("d", "Hello.")), "output_index", 0));
        let (response, _) = response(&events);
        assert_eq!(response["output"], json!([item("d", "Hello.")]));
    }
}

#[test]
fn an_item_that_is_announced_late_has_the_pieces_that_came_before() {
    for named in [json!({"item_id": "fc_1"}), json!({"output_index": 3}), json!({})] {
        let place = |event: Value| {
            let fields = named.as_object().unwrap().iter();
            fields.fold(event, |event, (key, value)| with(event, key, value.clone()))
        };
        let mut item = call_item("call_1", "f", "");
        item["id"] = json!("fc_1");
        let events = [
            place(delta("function_call_arguments", "{\"a\"")),
            with(added(item), "output_index", 3),
            place(delta("function_call_arguments", ":1}")),
        ];
        assert_eq!(said(&events)[2], json!([["call_1", "f", "{\"a\":1}"]]), "{named}");
    }
}

#[test]
fn pieces_of_items_that_are_never_announced_are_kept() {
    let events = [
        delta("reasoning_summary_text", "Hm"),
        with(delta("output_text", "Hel"), "item_id", "x"),
        with(delta("output_text", "lo"), "item_id", "y"),
        event("function_call_arguments.done", json!({"item_id": "fc_1", "name": "f", "arguments": "{}"})),
    ];
    assert_eq!(said(&events), json!(["Hello", "Hm", [["fc_1", "f", "{}"]]]));
    // What is done already takes no more pieces: the next ones are of another item.
    let whole = json!({"type": "message", "content": [text_part("Hello, ")]});
    assert_eq!(said(&[done(whole), delta("output_text", "world")])[0], "Hello, world");
}

#[test]
fn text_never_becomes_part_of_the_thoughts_or_of_a_call_at_the_same_index() {
    let events = [
        with(added(reasoning_item("rs_1")), "output_index", 0),
        with(delta("reasoning_text", "Hm"), "output_index", 0),
        with(delta("output_text", "Hello"), "output_index", 0),
        with(added(call_item("call_1", "f", "")), "output_index", 0),
        with(delta("function_call_arguments", "{}"), "output_index", 0),
        with(delta("output_text", "."), "output_index", 0),
    ];
    assert_eq!(said(&events), json!(["Hello.", "Hm", [["call_1", "f", "{}"]]]));
}

#[test]
fn the_output_of_a_call_does_not_replace_the_call_whose_id_it_has() {
    let call = json!({"type": "shell_call", "id": "sh_1", "call_id": "call_1"});
    let output = json!({"type": "shell_call_output", "id": "sho_1", "call_id": "call_1", "output": []});
    let (response, _) = response(&[added(call.clone()), done(call.clone()), done(output.clone())]);
    assert_eq!(response["output"], json!([call, output]));
}

#[test]
fn items_stand_in_the_order_of_their_indices() {
    let text = |index: u64, text: &str| with(delta("output_text", text), "output_index", index);
    let events = [
        with(added(message_item("b")), "output_index", 1_000_000_000),
        with(added(message_item("a")), "output_index", 4),
        text(1_000_000_000, "lo"),
        text(4, "Hel"),
    ];
    assert_eq!(said(&events)[0], "Hello");
}

#[test]
fn the_output_of_the_last_event_wins_however_many_items_were_streamed() {
    let output = json!([{"type": "message", "id": "msg_1", "content": [text_part("Hello")]}]);
    let streamed = [
        with(added(reasoning_item("rs_1")), "output_index", 0),
        with(delta("reasoning_text", "Hm"), "output_index", 0),
        with(
            done(json!({"type": "message", "id": "other", "content": [text_part("Hel")]})),
            "output_index",
            2,
        ),
    ];
    for kind in ["completed", "incomplete", "failed", "done"] {
        let mut events = streamed.to_vec();
        events.push(event(kind, json!({"response": whole(&output)})));
        // What comes later is not the last word.
        events.push(event("in_progress", json!({"response": whole(&json!([]))})));
        let (response, progress) = response(&events);
        assert_eq!(response["output"], output, "{kind}");
        assert!(progress.is_done, "{kind}");
    }
    for empty in [json!([]), Value::Null] {
        let mut events = streamed.to_vec();
        events.push(event("completed", json!({"response": whole(&empty)})));
        assert_eq!(said(&events), json!(["Hel", "Hm", []]), "{empty}");
    }
}

#[test]
fn a_snapshot_on_the_way_adds_items_but_never_overrides_what_was_streamed() {
    let item = |id: &str, text: &str| json!({"type": "message", "id": id, "content": [text_part(text)]});
    let snapshot = |output: Value| event("in_progress", json!({"response": whole(&output)}));
    let streamed = || with(with(delta("output_text", "Hello"), "item_id", "msg_2"), "output_index", 1);
    let both = json!([item("msg_1", "Oh. "), item("msg_2", "He")]);
    assert_eq!(said(&[streamed(), snapshot(both.clone())])[0], "Oh. Hello");
    assert_eq!(said(&[snapshot(both.clone()), streamed()])[0], "Oh. Hello");
    assert_eq!(said(&[snapshot(both)])[0], "Oh. He", "it is all there is");
    // Without indices and ids, the items of the snapshot are those that were streamed.
    let unnamed = json!([{"type": "reasoning"}, {"type": "message", "content": [text_part("He")]}]);
    assert_eq!(said(&[delta("output_text", "Hello"), snapshot(unnamed)])[0], "Hello");
}

#[test]
fn a_second_response_starts_over() {
    let created = |id: &str| event("created", json!({"response": {"id": id, "object": "response"}}));
    let failed = event("failed", json!({"response": {"id": "a", "error": {"code": "x"}}}));
    let events = [
        delta("output_text", "early "),
        created("a"),
        with(delta("output_text", "first"), "output_index", 0),
        json!({"type": "error", "code": "x"}),
        failed,
        created("b"),
        with(delta("output_text", "second"), "output_index", 0),
    ];
    let (first, progress) = response(&events[..5]);
    assert_eq!((&first["id"], progress.is_done, progress.has_error), (&json!("a"), true, true));
    assert_eq!(said(&events[..3])[0], "early first");
    let (second, progress) = response(&events);
    assert_eq!((&second["id"], &second["error"]), (&json!("b"), &Value::Null));
    assert_eq!(said(&events)[0], "second");
    assert!(!progress.is_done && !progress.has_error);
}

#[test]
fn a_text_that_is_given_whole_replaces_its_pieces_also_under_another_index() {
    let text = |index: u64, text: &str| with(delta("output_text", text), "content_index", index);
    let whole = |index: Option<u64>, text: &str| {
        event("output_text.done", json!({"content_index": index, "text": text}))
    };
    let part = |index: Option<u64>, text: &str| {
        event("content_part.done", json!({"content_index": index, "part": text_part(text)}))
    };
    for events in [
        vec![text(1, "Hel"), text(1, "lo"), whole(Some(2), "Hello"), part(Some(2), "Hello")],
        vec![text(1, "Hel"), whole(None, "Hello"), part(None, "Hello")],
        vec![delta("output_text", "Hel"), part(None, "Hello"), part(Some(0), "Hello")],
        vec![text(0, "Hel"), text(1, "lo"), whole(Some(0), "Hel"), whole(Some(1), "lo")],
        vec![text(0, "Hel"), whole(Some(1), "lo")],
        vec![part(None, "Hel"), delta("output_text", "l"), delta("output_text", "o")],
    ] {
        assert_eq!(said(&events)[0], "Hello", "{events:?}");
    }
}

#[test]
fn thoughts_without_an_index_are_one_part_until_the_next_is_announced() {
    let part = json!({"type": "summary_text", "text": ""});
    let announced = || event("reasoning_summary_part.added", json!({"part": part}));
    let events = [
        announced(),
        delta("reasoning_summary_text", "On"),
        delta("reasoning_summary_text", "e"),
        announced(),
        delta("reasoning_summary_text", "Two"),
    ];
    assert_eq!(said(&events)[1], "One\n\nTwo");
}

#[test]
fn calls_of_every_kind_are_kept_as_far_as_they_came() {
    let patch =
        json!({"type": "apply_patch_call", "id": "apc_1", "operation": {"type": "update_file", "diff": ""}});
    let shell = json!({"type": "shell_call", "id": "sh_1", "action": {"commands": [], "timeout_ms": null}});
    let output = json!({"type": "shell_call_output", "id": "sho_1", "call_id": "call_1", "output": []});
    let code = json!({"type": "code_interpreter_call", "id": "ci_1", "code": ""});
    let mcp = json!({"type": "mcp_call", "id": "mcp_1", "arguments": ""});
    let command = |verb: &str, index: u64, key: &str, text: &str| {
        event(
            &format!("shell_call_command.{verb}"),
            json!({"output_index": 1, "command_index": index, key: text}),
        )
    };
    let printed = |index: u64, delta: Value| {
        event(
            "shell_call_output_content.delta",
            json!({"item_id": "sho_1", "command_index": index, "delta": delta}),
        )
    };
    let whole = json!([{"stdout": "a\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]);
    let (response, progress) = response(&[
        with(added(patch), "output_index", 0),
        with(delta("apply_patch_call_operation_diff", "-a\n"), "output_index", 0),
        with(delta("apply_patch_call_operation_diff", "+b\n"), "item_id", "apc_1"),
        with(added(shell), "output_index", 1),
        command("added", 0, "command", ""),
        command("delta", 0, "delta", "ls "),
        command("delta", 0, "delta", "-l"),
        command("done", 0, "command", "ls -la"),
        command("delta", 1, "delta", "pw"),
        with(added(output), "output_index", 2),
        printed(0, json!({"stdout": "a"})),
        event(
            "shell_call_output_content.done",
            json!({"item_id": "sho_1", "command_index": 0, "output": whole}),
        ),
        printed(1, json!({"stdout": "b"})),
        printed(1, json!({"stdout": "c", "stderr": "d"})),
        with(added(code), "output_index", 3),
        with(delta("code_interpreter_call_code", "1+1"), "output_index", 3),
        with(added(mcp), "output_index", 4),
        with(delta("mcp_call_arguments", "{"), "output_index", 4),
        with(delta("custom_tool_call_input", "ls"), "item_id", "ctc_1"),
    ]);
    assert_eq!(
        response["output"],
        json!([
            {"type": "apply_patch_call", "id": "apc_1", "operation": {"type": "update_file", "diff": "-a\n+b\n"}},
            {"type": "shell_call", "id": "sh_1", "action": {"commands": ["ls -la", "pw"], "timeout_ms": null}},
            {"type": "shell_call_output", "id": "sho_1", "call_id": "call_1",
                "output": [whole[0], {"stdout": "bc", "stderr": "d"}]},
            {"type": "code_interpreter_call", "id": "ci_1", "code": "1+1"},
            {"type": "mcp_call", "id": "mcp_1", "arguments": "{"},
            {"type": "custom_tool_call", "id": "ctc_1", "input": "ls"},
        ])
    );
    assert_eq!(progress.skipped, 0);
}

#[test]
fn sound_and_its_transcript_are_kept_as_one_part() {
    let events = [
        delta("output_text", "Hello"),
        delta("audio", "aGVs"),
        delta("audio.transcript", "Hel"),
        delta("audio", "bG8="),
        delta("audio.transcript", "lo"),
    ];
    let part = json!({"type": "output_audio", "data": "aGVsbG8=", "transcript": "Hello"});
    let message = message(&events);
    assert_eq!((&message["content"], &message["items"]), (&json!("Hello"), &json!([part])));
}

#[test]
fn more_items_and_parts_than_any_response_has_are_passed_over_and_counted() {
    let far = 1_000_000_000_u64;
    let more = |limit: usize| (0..limit as u64 + 7).map(|index| index * far);
    let items: Vec<Value> = more(MOST_ITEMS)
        .map(|index| with(added(message_item(&index.to_string())), "output_index", index))
        .collect();
    let (response_of_items, progress) = response(&items);
    assert_eq!((response_of_items["output"].as_array().unwrap().len(), progress.skipped), (MOST_ITEMS, 7));
    let parts: Vec<Value> =
        more(MOST_PARTS).map(|index| with(delta("output_text", "x"), "content_index", index)).collect();
    let (response_of_parts, progress) = response(&parts);
    let content = response_of_parts["output"][0]["content"].as_array().unwrap();
    assert_eq!((content.len(), progress.skipped), (MOST_PARTS, 7));
}

#[test]
fn events_that_add_nothing_are_not_counted_as_unreadable() {
    let (response, progress) = response(&[
        event("in_progress", json!({})),
        event("web_search_call.searching", json!({"output_index": 0})),
        event("output_text.delta", json!({"content_index": 5})),
        json!({"type": "keepalive"}),
    ]);
    assert_eq!((&response["output"], progress.skipped), (&Value::Null, 0));
}

#[test]
fn the_phase_of_a_message_and_the_caller_of_a_call_are_kept_in_a_chat() {
    let caller = json!({"type": "program", "caller_id": "p"});
    let mut call = call_item("call_1", "f", "{}");
    call["caller"] = caller.clone();
    let said = |phase: &str| json!({"type": "message", "role": "assistant", "phase": phase, "content": [text_part("x")]});
    let output = json!([said("commentary"), call, said("final_answer")]);
    let message = translated(&whole(&output))["choices"][0]["message"].take();
    assert_eq!((&message["phase"], &message["tool_calls"][0]["caller"]), (&json!("final_answer"), &caller));

    let result =
        json!({"type": "function_call_output", "call_id": "call_1", "output": "1", "caller": caller});
    let asked = json!({"input": [said("commentary"), call, result]});
    let raw = RawValue::from_string(asked.to_string()).unwrap();
    let chat: Value = serde_json::from_str(&question(&raw).unwrap().json).unwrap();
    let messages = &chat["messages"];
    assert_eq!(
        (&messages[0]["phase"], &messages[1]["tool_calls"][0]["caller"], &messages[2]["caller"]),
        (&json!("commentary"), &caller, &caller)
    );
}

#[test]
fn parts_beyond_an_allowance_for_the_whole_question_stay_as_they_are() {
    let parts = vec![json!({"type": "input_text", "text": "x"}); MOST_PARTS / 2 + 1];
    let asked = json!({"input": [{"role": "user", "content": parts}, {"role": "user", "content": parts}]});
    let raw = RawValue::from_string(asked.to_string()).unwrap();
    let chat: Value = serde_json::from_str(&question(&raw).unwrap().json).unwrap();
    let kind = |message: usize| &chat["messages"][message]["content"][0]["type"];
    assert_eq!((kind(0), kind(1)), (&json!("text"), &json!("input_text")));
}
