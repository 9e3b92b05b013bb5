//! How events are matched to items, and which items are reported.

use super::*;

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
    // An item that is done twice counts once.
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
    // A completed item takes no more pieces: later pieces belong to another item.
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
        // A later snapshot does not replace the final one.
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
    // Without indices and ids, the items of the snapshot are the streamed ones.
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
