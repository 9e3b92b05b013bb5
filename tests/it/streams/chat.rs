//! Promise 5 for streams: one is reported as the object that the unstreamed call would have returned.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use crate::support::{chat, delta, events, exchange, observed, post};

/// The response that is reported for these events.
async fn assembled(data: &[&str]) -> Value {
    let mut observed = observed();
    exchange(&observed, chat(), events(data)).await;
    observed.report().await["response"].clone()
}

/// The message that these deltas add up to.
async fn message(deltas: &[&str]) -> Value {
    let chunks: Vec<String> = deltas.iter().map(|text| delta(text)).collect();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    assembled(&chunks).await["choices"][0]["message"].clone()
}

#[tokio::test]
async fn a_stream_of_text_is_the_whole_answer() {
    let response = assembled(&[
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"xyz"}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"lo \ud83d"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"\ude00"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o","system_fingerprint":"fp","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
        "[DONE]",
    ])
    .await;
    assert_eq!(
        response,
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_694_268_190, "model": "gpt-4o", "system_fingerprint": "fp",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello 😀", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        })
    );
}

#[tokio::test]
async fn parallel_tool_calls_stay_apart() {
    let message = message(&[
        r#"{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"weather","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"time","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"city\":"}},{"index":0,"function":{"arguments":"{\"day\":"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":"2}"}}]}"#,
    ])
    .await;
    assert_eq!(
        message,
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"day\":1}"}},
            {"id": "b", "type": "function", "function": {"name": "time", "arguments": "{\"city\":2}"}},
        ]})
    );
}

#[tokio::test]
async fn tool_calls_without_an_index_are_told_apart_by_their_ids() {
    let message = message(&[
        r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}"#,
        r#"{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"2"}}]}"#,
        r#"{"tool_calls":[{"id":"a","function":{"arguments":"3"}}]}"#,
        r#"{"tool_calls":[{"function":{"arguments":"4"}}]}"#,
    ])
    .await;
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "13");
    assert_eq!(message["tool_calls"][1]["function"]["arguments"], "24");
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_named_call_under_a_used_index_is_a_call_of_its_own() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"f"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"[]"}}]}"#,
    ])
    .await;
    assert_eq!(
        message["tool_calls"],
        json!([
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "[]"}},
        ])
    );
}

#[tokio::test]
async fn pieces_of_calls_that_share_an_index_are_told_apart_by_their_ids() {
    let piece = |id: &str, function: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{{{function}}}}}]}}"#)
    };
    let pieces = [
        piece("a", r#""name":"f","arguments":"""#),
        piece("b", r#""name":"g","arguments":"""#),
        piece("a", r#""arguments":"{1}""#),
        piece("b", r#""arguments":"{2}""#),
    ];
    let message = message(&pieces.each_ref().map(String::as_str)).await;
    let arguments = |call: usize| &message["tool_calls"][call]["function"]["arguments"];
    assert_eq!((arguments(0), arguments(1)), (&json!("{1}"), &json!("{2}")));
}

#[tokio::test]
async fn an_id_that_changes_from_piece_to_piece_does_not_split_a_call() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":null,"arguments":"}"}}]}"#,
    ])
    .await;
    assert_eq!(message["tool_calls"], json!([{"id": "a", "function": {"name": "f", "arguments": "{}"}}]));
}

/// Each call's name and arguments.
fn calls(message: &Value) -> Vec<(String, Value)> {
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let call = |call: &Value| {
        let function = &call["function"];
        (function["name"].as_str().unwrap_or_default().to_owned(), function["arguments"].clone())
    };
    calls.iter().map(call).collect()
}

fn call(name: &str, arguments: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), arguments.into())
}

#[tokio::test]
async fn a_name_after_whole_arguments_begins_another_call_without_any_id() {
    for place in ["", r#""index":0,"#, r#""index":0,"id":"","#, r#""index":null,"id":null,"#] {
        let piece = |function: &str| format!(r#"{{"tool_calls":[{{{place}"function":{{{function}}}}}]}}"#);
        let pieces = [
            piece(r#""name":"weather","arguments":"{\"city\":\"""#),
            piece(r#""arguments":"Rome\"}""#),
            piece(r#""name":"weather","arguments":"{\"city\":\"Oslo\"} ""#),
            piece(r#""name":"weather","arguments":"{\"city\":\"Oslo\"}""#),
            piece(r#""name":"clock","arguments":"""#),
            piece(r#""arguments":"{}""#),
        ];
        let message = message(&pieces.each_ref().map(String::as_str)).await;
        assert_eq!(
            calls(&message),
            [
                call("weather", r#"{"city":"Rome"}"#),
                call("weather", r#"{"city":"Oslo"} "#),
                call("weather", r#"{"city":"Oslo"}"#),
                call("clock", "{}"),
            ],
            "{place}"
        );
    }
}

#[tokio::test]
async fn a_name_before_the_arguments_are_whole_begins_no_other_call() {
    // Nothing, an object in an object, braces in strings, behind an escaped quote, and an escaped brace.
    for begun in [
        "",
        r#"{\"a\":{}"#,
        r#"{\"a\":\"}"#,
        r#"{\"a\":\"\\\"}"#,
        r#"{\"a\":\"\u007d"#,
        r#"{\"a\":[\"x\"]"#,
        "[{}]",
        "{}1",
    ] {
        let pieces = [
            format!(r#"{{"tool_calls":[{{"index":0,"function":{{"name":"f","arguments":"{begun}"}}}}]}}"#),
            r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}"#.to_owned(),
        ];
        let message = message(&pieces.each_ref().map(String::as_str)).await;
        let text: Value = serde_json::from_str(&format!("\"{begun}}}\"")).unwrap();
        assert_eq!(calls(&message), [call("f", text)]);
    }
}

#[tokio::test]
async fn a_name_that_arrives_in_pieces_is_one_name() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"function":{"name":"get_","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"weather","arguments":"{}"}}]}"#,
    ])
    .await;
    assert_eq!(calls(&message), [call("get_weather", "{}")]);
}

#[tokio::test]
async fn a_call_that_repeats_its_id_and_name_in_every_piece_stays_one_call() {
    for place in [r#""id":"a","#, r#""index":0,"id":"a","#] {
        let piece = |arguments: &str| {
            format!(
                r#"{{"role":"assistant","tool_calls":[{{{place}"type":"function","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
            )
        };
        let pieces = [piece("{"), piece("}"), piece(" "), piece("")];
        let message = message(&pieces.each_ref().map(String::as_str)).await;
        assert_eq!(
            message["tool_calls"],
            json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{} "}}])
        );
    }
}

#[tokio::test]
async fn a_name_that_is_repeated_without_the_id_begins_no_other_call() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":" "}}]}"#,
    ])
    .await;
    assert_eq!(message["tool_calls"], json!([{"id": "a", "function": {"name": "f", "arguments": "{} "}}]));
}

#[tokio::test]
async fn tool_call_arguments_sent_as_an_object_are_complete() {
    let message = message(&[
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":{"a":1}}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":{"b":2}}}]}"#,
    ])
    .await;
    assert_eq!(calls(&message), [call("f", json!({"a": 1})), call("f", json!({"b": 2}))]);
}

#[tokio::test]
async fn two_names_in_one_list_are_two_calls_whatever_their_arguments() {
    for place in ["", r#""index":0,"#] {
        let named = |name: &str| format!(r#"{{{place}"function":{{"name":"{name}","arguments":""}}}}"#);
        let deltas = [
            format!(r#"{{"tool_calls":[{},{},{}]}}"#, named("f"), named("g"), named("g")),
            format!(r#"{{"tool_calls":[{{{place}"function":{{"arguments":"{{}}"}}}}]}}"#),
        ];
        let message = message(&deltas.each_ref().map(String::as_str)).await;
        assert_eq!(calls(&message), [call("f", ""), call("g", ""), call("g", "{}")]);
    }
}

#[tokio::test]
async fn a_tool_call_that_is_an_object_is_one_call() {
    let message = message(&[
        r#"{"role":"assistant","tool_calls":{}}"#,
        r#"{"tool_calls":{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}}"#,
        r#"{"tool_calls":{"index":0,"function":{"arguments":"{}"}}}"#,
    ])
    .await;
    let one = json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    assert_eq!(message["tool_calls"], one);
    let whole = r#"{"choices":[{"message":{"tool_calls":{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}}}]}"#;
    assert_eq!(assembled(&[whole, whole]).await["choices"][0]["message"]["tool_calls"], one);
    let none = assembled(&[r#"{"choices":[{"delta":{"tool_calls":{}}}]}"#]).await;
    assert_eq!(none["choices"][0]["message"], json!({"role": "assistant", "content": null}));
}

#[tokio::test]
async fn several_choices_stay_apart_and_come_in_their_order() {
    let response = assembled(&[
        r#"{"choices":[{"index":1,"delta":{"role":"assistant","content":"B"}},{"index":0,"delta":{"role":"assistant","content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}"#,
    ])
    .await;
    assert_eq!(
        response["choices"],
        json!([
            {"index": 0, "message": {"role": "assistant", "content": "aA"}, "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "Bb"}, "finish_reason": "length"},
        ])
    );
}

#[tokio::test]
async fn refusals_reasoning_and_audio_grow_as_texts_do() {
    let message = message(&[
        r#"{"role":"assistant","refusal":"I'm ","reasoning_content":"Let ","audio":{"id":"au","data":"AA","transcript":"He"}}"#,
        r#"{"refusal":"sorry","reasoning_content":"me","audio":{"data":"BB","transcript":"y","expires_at":7}}"#,
    ])
    .await;
    assert_eq!(
        message,
        json!({"role": "assistant", "content": null, "refusal": "I'm sorry", "reasoning_content": "Let me",
            "audio": {"id": "au", "data": "AABB", "transcript": "Hey", "expires_at": 7}})
    );
}

#[tokio::test]
async fn a_function_call_of_the_old_kind_is_put_together() {
    let message = message(&[
        r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"#,
        r#"{"function_call":{"arguments":"{\"a\":"}}"#,
        r#"{"function_call":{"arguments":"1}"}}"#,
    ])
    .await;
    assert_eq!(message["function_call"], json!({"name": "f", "arguments": "{\"a\":1}"}));
}

#[tokio::test]
async fn logprobs_are_joined_list_by_list() {
    let response = assembled(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.10}],"refusal":null}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b","logprob":-2e-5}],"refusal":null}}]}"#,
    ])
    .await;
    assert_eq!(
        response["choices"][0]["logprobs"],
        json!({"content": [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -2e-5}], "refusal": null})
    );
}

#[tokio::test]
async fn content_parts_of_one_kind_are_joined() {
    let message = message(&[
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"m."}]},{"type":"text","text":"1"}]}"#,
        r#"{"content":"2"}"#,
    ])
    .await;
    assert_eq!(
        message["content"],
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]}, {"type": "text", "text": "12"}])
    );
}

#[tokio::test]
async fn elements_with_an_index_are_joined_as_the_unstreamed_answer_has_them() {
    let message = message(&[
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"Let","format":"anthropic-claude-v1","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":" me","format":"anthropic-claude-v1","signature":null,"index":0},{"index":1000000000,"type":"reasoning.summary","summary":"In"}]}"#,
        r#"{"reasoning_details":[{"index":1000000000,"summary":" short"},{"type":"reasoning.text","signature":"c2ln","format":"anthropic-claude-v1","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","signature":"","index":0}],"content":"Hi"}"#,
        r#"{"reasoning_details":[]}"#,
    ])
    .await;
    assert_eq!(
        message["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "Let me", "format": "anthropic-claude-v1", "signature": "c2ln", "index": 0},
            {"index": 1_000_000_000, "type": "reasoning.summary", "summary": "In short"},
        ])
    );
}

#[tokio::test]
async fn a_text_that_a_later_piece_repeats_is_kept_once_and_other_fields_have_their_last_value() {
    let message = message(&[
        r#"{"executed_tools":[{"index":0,"type":"python","arguments":"{\"code\":\"1\"}","search_results":{"results":[]},"at":1}]}"#,
        r#"{"executed_tools":[{"index":0,"type":"python","arguments":"{\"code\":\"1\"}","output":"1","search_results":{"results":[7]},"at":2}]}"#,
        // An element that is given whole, twice; and a text whose first pieces are the same.
        r#"{"thinking_blocks":[{"index":0,"data":"AAAA","thinking":"ha"}]}"#,
        r#"{"thinking_blocks":[{"index":0,"data":"AAAA","thinking":"ha"}]}"#,
        r#"{"thinking_blocks":[{"index":0,"data":null,"thinking":"!"}]}"#,
        r#"{"thinking_blocks":[{"index":0,"thinking":"haha!"}]}"#,
        r#"{"summaries":[{"index":0,"summary":[{"type":"summary_text","text":"a"}]}]}"#,
        r#"{"summaries":[{"index":0,"summary":[{"type":"summary_text","text":"b"},{"type":"image"}]}]}"#,
    ])
    .await;
    assert_eq!(
        message["executed_tools"],
        json!([{"index": 0, "type": "python", "arguments": "{\"code\":\"1\"}", "output": "1", "search_results": {"results": [7]}, "at": 2}])
    );
    assert_eq!(message["thinking_blocks"], json!([{"index": 0, "data": "AAAA", "thinking": "haha!"}]));
    assert_eq!(
        message["summaries"],
        json!([{"index": 0, "summary": [{"type": "summary_text", "text": "ab"}, {"type": "image"}]}])
    );
}

#[tokio::test]
async fn elements_of_different_types_stay_two_elements_whatever_their_index() {
    let message = message(&[
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"a","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"QQ==","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","id":"rs","index":0}]}"#,
    ])
    .await;
    assert_eq!(
        message["reasoning_details"],
        json!([{"type": "reasoning.summary", "summary": "a", "index": 0}, {"type": "reasoning.encrypted", "data": "QQ==", "id": "rs", "index": 0}])
    );
}

#[tokio::test]
async fn elements_without_a_whole_number_as_index_stay_as_they_are() {
    let message = message(&[
        r#"{"x":[{"text":"a"},{"index":"0","text":"b"},1,"{",[2]]}"#,
        r#"{"x":[{"index":0.5,"text":"c"},{"index":null,"text":"d"},{"index":-1,"text":"e"}]}"#,
        r#"{"x":[{"index":0.5,"text":"c"},null,{"index":3,"text":"f"},{"index":3,"text":"g"}]}"#,
        r#"{"x":[3]}"#,
    ])
    .await;
    assert_eq!(
        message["x"],
        json!([
            {"text": "a"}, {"index": "0", "text": "b"}, 1, "{", [2],
            {"index": 0.5, "text": "c"}, {"index": null, "text": "d"}, {"index": -1, "text": "e"},
            {"index": 0.5, "text": "c"}, null, {"index": 3, "text": "fg"}, 3,
        ])
    );
}

#[tokio::test]
async fn a_list_may_start_as_null_or_numbers_and_may_be_replaced_by_another_value() {
    let message = message(&[
        r#"{"x":null,"y":[1],"z":[{"index":0}]}"#,
        r#"{"x":[{"index":0,"text":"a"}],"y":[{"index":0,"text":"b"}],"z":7}"#,
        r#"{"x":[{"index":0,"text":"a"}],"y":[{"index":0,"text":"c"}],"z":null}"#,
    ])
    .await;
    assert_eq!((&message["x"], &message["z"]), (&json!([{"index": 0, "text": "a"}]), &json!(7)));
    assert_eq!(message["y"], json!([1, {"index": 0, "text": "bc"}]));
}

#[tokio::test]
async fn consecutive_parts_of_reasoning_are_joined_until_one_is_signed() {
    let message = message(&[
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"a","signature":null}]}"#,
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"b","signature":""}]}"#,
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"","signature":"s1"}]}"#,
        r#"{"thinking_blocks":[{"type":"redacted_thinking","data":"QQ=="},{"type":"redacted_thinking","data":"QQ=="}]}"#,
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"c"}]}"#,
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"d","signature":"s2"},{"type":"thinking","thinking":"e"}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"f"},{"type":"reasoning.summary","summary":"g"}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"h"},{"type":"text","text":"i"},{"type":"text","text":"j"}]}"#,
    ])
    .await;
    assert_eq!(
        message["thinking_blocks"],
        json!([
            {"type": "thinking", "thinking": "ab", "signature": "s1"},
            {"type": "redacted_thinking", "data": "QQ=="}, {"type": "redacted_thinking", "data": "QQ=="},
            {"type": "thinking", "thinking": "cd", "signature": "s2"},
            {"type": "thinking", "thinking": "e"},
        ])
    );
    assert_eq!(
        message["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "f"}, {"type": "reasoning.summary", "summary": "gh"},
            {"type": "text", "text": "i"}, {"type": "text", "text": "j"},
        ])
    );
}

#[tokio::test]
async fn parts_of_reasoning_in_the_content_are_joined() {
    let part = |text: &str, signature: &str| {
        format!(
            r#"{{"content":[{{"type":"reasoning","summary":[{{"type":"summary_text","text":"{text}","signature":"{signature}"}}]}}]}}"#
        )
    };
    let deltas = [part("Let", ""), part(" me", ""), part("", "s"), part("Next", "")];
    let mut deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
    deltas.push(r#"{"content":[{"type":"text","text":"1"}]}"#);
    deltas.push(r#"{"content":[{"type":"text","text":"2"}]}"#);
    assert_eq!(
        message(&deltas).await["content"],
        json!([
            {"type": "reasoning", "summary": [
                {"type": "summary_text", "text": "Let me", "signature": "s"}, {"type": "summary_text", "text": "Next", "signature": ""},
            ]},
            {"type": "text", "text": "12"},
        ])
    );
}

#[tokio::test]
async fn lists_beside_the_delta_are_appended() {
    let response = assembled(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"token_ids":[1,2],"seen":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"token_ids":[1,2],"seen":[]}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"token_ids":[1,2],"seen":[{"index":0}]}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"token_ids":null},{"index":1,"text":"b","token_ids":[9]}]}"#,
    ])
    .await;
    assert_eq!(response["choices"][0]["message"]["content"], "aaa");
    assert_eq!(response["choices"][0]["token_ids"], json!([1, 2, 1, 2, 1, 2]));
    assert_eq!(response["choices"][0]["seen"], json!([{"index": 0}]));
    assert_eq!(response["choices"][1]["token_ids"], json!([9]));
}

#[tokio::test]
async fn an_unknown_text_field_is_joined_unless_all_its_pieces_are_equal() {
    let message = message(&[
        r#"{"cot_summary":"","cot_id":"7","laugh":"ha","mood":null,"level":"low","channel":"analysis"}"#,
        r#"{"cot_summary":"Look ","cot_id":"7","laugh":"ha","mood":"ca","level":2,"channel":"analysis"}"#,
        r#"{"cot_summary":"at \ud83c","cot_id":"7","laugh":"ha","mood":"","channel":"final"}"#,
        r#"{"cot_summary":"\udf27","cot_id":"","laugh":"!","mood":"lm","level":"high"}"#,
        r#"{"cot_summary":"","cot_id":"7","laugh":"ha","mood":null}"#,
    ])
    .await;
    assert_eq!(
        message,
        json!({"role": "assistant", "content": null, "cot_summary": "Look at 🌧", "cot_id": "7",
            "laugh": "hahaha!ha", "mood": "calm", "level": "high", "channel": "final"})
    );
}

#[tokio::test]
async fn usage_in_a_choice_is_copied_to_the_top_unless_there_is_some() {
    let used = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":1}}],"usage":null}"#;
    let more = r#"{"choices":[{"index":1,"delta":{},"usage":{"total_tokens":2}}]}"#;
    let none = r#"{"choices":[{"index":0,"delta":{"content":"a"},"usage":null}]}"#;
    let top = r#"{"choices":[],"usage":{"prompt_tokens":3}}"#;
    for (chunks, expected) in [
        (&[none, used, none][..], json!({"prompt_tokens": 1})),
        (&[used, more], json!({"prompt_tokens": 1, "total_tokens": 2})),
        (&[used, top], json!({"prompt_tokens": 3})),
        (&[top, used], json!({"prompt_tokens": 3})),
    ] {
        let response = assembled(chunks).await;
        assert_eq!(response["usage"], expected, "{chunks:?}");
        assert_eq!(response["choices"][0]["usage"], json!({"prompt_tokens": 1}));
    }
    assert_eq!(assembled(&[none]).await.get("usage"), None);
}

#[tokio::test]
async fn an_event_that_is_no_chunk_leaves_no_type_behind() {
    let chunk = delta(r#"{"content":"a"}"#);
    let reported = async |body: String| {
        let mut observed = observed();
        exchange(&observed, chat(), Response::new(Body::from(body))).await;
        observed.report().await["response"].take()
    };
    let plain = reported(format!("data: {chunk}\n\n")).await;
    for ping in [
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "data: {\"type\":\"ping\"}\n\n",
        "event: ping\ndata: {}\n\n",
    ] {
        assert_eq!(
            reported(format!("{ping}data: {chunk}\n\n{ping}data: {chunk}\n\n{ping}")).await["choices"][0]["message"]
                ["content"],
            "aa"
        );
        assert_eq!(reported(format!("{ping}data: {chunk}\n\n{ping}")).await, plain, "{ping}");
    }
    let told =
        reported(format!("data: {chunk}\n\nevent: cost\ndata: {{\"type\":\"cost\",\"cost\":1.5}}\n\n")).await;
    assert_eq!((&told["cost"], told.get("type")), (&json!(1.5), None));
    let typed =
        reported(format!("event: chunk\ndata: {}\n\n", chunk.replacen('{', "{\"type\":\"chunk\",", 1))).await;
    assert_eq!(typed["type"], "chunk");
}

#[tokio::test]
async fn unknown_fields_are_kept_at_every_level() {
    let response = assembled(&[
        r#"{"id":"","model":"","created":0,"choices":[],"prompt_filter_results":[{"x":1.10}]}"#,
        r#"{"id":"real","model":"m","created":5,"choices":[{"index":0,"delta":{"content":"a","channel":"final","annotations":[1]},"content_filter_results":{"hate":1}}],"provider":"P"}"#,
        r#"{"id":"other","model":"m","created":6,"choices":[{"index":0,"delta":{"annotations":[2]},"content_filter_results":{"self_harm":2},"finish_reason":"stop"}],"usage":{"a":1}}"#,
        r#"{"choices":[{"index":0,"finish_reason":null}],"usage":{"b":2}}"#,
    ])
    .await;
    assert_eq!(
        response,
        json!({
            "id": "real", "model": "m", "created": 5, "object": "chat.completion", "prompt_filter_results": [{"x": 1.1}],
            "provider": "P", "usage": {"a": 1, "b": 2},
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "a", "channel": "final", "annotations": [1, 2]},
                "content_filter_results": {"hate": 1, "self_harm": 2}, "finish_reason": "stop"}],
        })
    );
}

#[tokio::test]
async fn a_streamed_completion_is_a_text_completion() {
    let mut observed = observed();
    let request = post("/v1/completions", r#"{"model":"m","prompt":"p","stream":true}"#);
    let response = events(&[
        r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":"a ","index":0,"logprobs":{"tokens":["a "],"text_offset":[0]},"finish_reason":null}],"model":"m"}"#,
        r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":"b","index":0,"logprobs":{"tokens":["b"],"text_offset":[2]},"finish_reason":"length"}],"model":"m"}"#,
        "[DONE]",
    ]);
    exchange(&observed, request, response).await;
    let report = observed.report().await;
    assert_eq!(report["reconify"]["type"], "completion");
    assert_eq!(
        report["response"],
        json!({"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [
            {"index": 0, "text": "a b", "logprobs": {"tokens": ["a ", "b"], "text_offset": [0, 2]}, "finish_reason": "length"}]})
    );
}

#[tokio::test]
async fn an_error_in_mid_stream_is_kept_beside_what_had_arrived() {
    for error in [r#"{"error":{"message":"overloaded","code":503}}"#, r#"{"error":"overloaded"}"#] {
        let response = assembled(&[&delta(r#"{"content":"Hel"}"#), error]).await;
        let wanted: Value = serde_json::from_str(error).unwrap();
        assert_eq!(response["error"], wanted["error"]);
        assert_eq!(response["choices"][0]["message"]["content"], "Hel");
        assert_eq!(response["choices"][0]["finish_reason"], Value::Null);
    }
}

#[tokio::test]
async fn an_error_event_is_an_error_whatever_its_data_looks_like() {
    let mut observed = observed();
    let body = format!(
        "data: {}\n\nevent: error\ndata: {{\"message\":\"broken\"}}\n\n",
        delta(r#"{"content":"a"}"#)
    );
    exchange(&observed, chat(), Response::new(Body::from(body))).await;
    assert_eq!(observed.report().await["response"]["error"], json!({"message": "broken"}));
}

#[tokio::test]
async fn a_stream_of_whole_messages_is_the_last_of_them() {
    let response = assembled(&[
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}]}"#,
    ])
    .await;
    assert_eq!(response["choices"][0]["message"], json!({"role": "assistant", "content": "ab"}));
    let response = assembled(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"message":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"message":{"content":"ab"}}]}"#,
    ])
    .await;
    assert_eq!(response["choices"][0]["message"], json!({"role": "assistant", "content": "ab"}));
}
