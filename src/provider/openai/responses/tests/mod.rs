#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod items;
mod parts;
mod translated;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::chat_response;
use crate::provider::openai::responses::ResponseAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The assembled response of these events, and the progress.
fn response(events: &[Value]) -> (Value, Progress) {
    let events: Vec<String> = events.iter().map(Value::to_string).collect();
    let (mut assembler, mut progress) = (ResponseAssembler::default(), Progress::default());
    events.iter().for_each(|event| assert!(assembler.push(b"", event.as_bytes(), &mut progress)));
    let whole = assembler.finish(Operation::Responses, &mut progress);
    (serde_json::from_str(&whole).unwrap(), progress)
}

fn translated(response: &Value) -> Value {
    let raw = RawValue::from_string(response.to_string()).unwrap();
    serde_json::from_str(&chat_response(&raw).unwrap().json).unwrap()
}

/// The chat message of these events.
fn message(events: &[Value]) -> Value {
    translated(&response(events).0)["choices"][0]["message"].take()
}

/// The content, the reasoning and the calls (id, name, arguments) of the message of these events.
fn said(events: &[Value]) -> Value {
    let message = message(events);
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let calls: Vec<Value> = calls
        .iter()
        .map(|call| json!([call["id"], call["function"]["name"], call["function"]["arguments"]]))
        .collect();
    json!([message["content"], message["reasoning_content"], calls])
}

/// An event with its type and these fields.
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
