use serde_json::value::RawValue;

use super::item::{Item, content};
use super::{MOST_PARTS, has_too_many, of_too_many, set_once, whole};
use crate::codec::json::{self, Fields, Node};
use crate::provider::spec::Converted;

/// Converts a request into that of a chat: instructions and input become messages, all other fields
/// stay.
pub(crate) fn chat_request(raw: &RawValue) -> Option<Converted> {
    let mut chat = Fields::default();
    let mut messages = Vec::new();
    let fields = json::object(raw)?;
    let get = |name| json::field(&fields, name);
    if ["instructions", "input", "messages"].into_iter().filter_map(get).any(has_too_many) {
        return Some(of_too_many(raw, "messages"));
    }
    let mut room = MOST_PARTS;
    if let Some(instructions) = get("instructions").filter(|raw| !json::is_null(raw)) {
        add(&mut messages, instructions, "system", &mut room);
    }
    if let Some(input) = get("input").filter(|raw| !json::is_null(raw)) {
        add(&mut messages, input, "user", &mut room);
    }
    let messages = messages.into_iter().map(Node::Object);
    let others = get("messages").and_then(json::array);
    let others = others.into_iter().flatten().map(Node::Raw);
    let mut messages = Some(Node::Array(messages.chain(others).collect()));
    for (key, raw) in &fields {
        match &**key {
            "instructions" => {}
            // `messages` is not a field of the Responses API. Its content goes where the input
            // goes.
            "input" | "messages" => set_once(&mut chat, "messages", &mut messages),
            _ => chat.set(key.clone(), Node::Raw(raw)),
        }
    }
    set_once(&mut chat, "messages", &mut messages);
    Some(whole(chat.to_json()))
}

/// Adds a text or a list of items. `role` is the role of a text.
fn add<'a>(messages: &mut Vec<Fields<'a>>, raw: &'a RawValue, role: &str, room: &mut usize) {
    let Some(items) = json::array(raw) else {
        messages.push(message(Node::string(role), Node::Raw(raw)));
        return;
    };
    let mut calls = Vec::new();
    for raw in items {
        let Some(item) = Item::of(raw) else {
            if json::text(raw).is_some() {
                flush(messages, &mut calls);
                messages.push(message(Node::string(role), Node::Raw(raw)));
            }
            continue;
        };
        if let Some(call) = item.tool_call() {
            calls.push(call);
            continue;
        }
        flush(messages, &mut calls);
        messages.push(match item.kind() {
            "message" => {
                let role = item.get("role").map_or(Node::string(role), Node::Raw);
                let content = item.get("content").map_or(Node::NULL, |raw| content(raw, room));
                let mut said = message(role, content);
                item.keep("phase", &mut said);
                said
            }
            kind if kind.ends_with("_output") => {
                let content = item.get("output").map_or(Node::NULL, |raw| content(raw, room));
                let mut result = message(Node::string("tool"), content);
                result.set("tool_call_id", item.get("call_id").map_or(Node::NULL, Node::Raw));
                item.keep("caller", &mut result);
                result
            }
            "reasoning" => {
                let mut thought = message(Node::string("assistant"), Node::NULL);
                thought.set("reasoning", Node::Raw(raw));
                thought
            }
            // Chats have no such item. It is kept as it is, where it does no harm.
            _ => {
                let mut other = message(Node::string("assistant"), Node::NULL);
                other.set("item", Node::Raw(raw));
                other
            }
        });
    }
    flush(messages, &mut calls);
}

/// Consecutive calls become one message.
fn flush<'a>(messages: &mut Vec<Fields<'a>>, calls: &mut Vec<Node<'a>>) {
    if !calls.is_empty() {
        let mut asking = message(Node::string("assistant"), Node::NULL);
        asking.set("tool_calls", Node::Array(std::mem::take(calls).into_iter().collect()));
        messages.push(asking);
    }
}

fn message<'a>(role: Node<'a>, content: Node<'a>) -> Fields<'a> {
    let mut message = Fields::default();
    message.set("role", role);
    message.set("content", content);
    message
}
