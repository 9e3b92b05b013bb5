//! Fields of the Responses API that a chat keeps.

use super::*;
use crate::provider::openai::responses::{MOST_PARTS, chat_request};

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
    let chat: Value = serde_json::from_str(&chat_request(&raw).unwrap().json).unwrap();
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
    let chat: Value = serde_json::from_str(&chat_request(&raw).unwrap().json).unwrap();
    let kind = |message: usize| &chat["messages"][message]["content"][0]["type"];
    assert_eq!((kind(0), kind(1)), (&json!("text"), &json!("input_text")));
}
