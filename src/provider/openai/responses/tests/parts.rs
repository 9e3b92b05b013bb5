//! How the pieces of an item are joined.

use super::*;
use crate::provider::openai::responses::{MOST_ITEMS, MOST_PARTS};

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
