use std::borrow::Cow;

use serde_json::value::RawValue;

use super::chunk::Piece;
use super::elements;
use super::tool_calls::{ToolCalls, add_call};
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;
use crate::provider::operation::Operation;

/// One of the `n` choices of a stream.
#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    fields: Fields<'a>,
    message: Option<StreamedMessage<'a>>,
    has_deltas: bool,
    /// Whether a text, tool call, refusal or reasoning has arrived.
    pub(crate) has_token: bool,
}

/// The sum of a chat's deltas.
#[derive(Debug, Default)]
struct StreamedMessage<'a> {
    fields: Fields<'a>,
    tool_calls: ToolCalls<'a>,
}

impl<'a> Choice<'a> {
    /// Adds a piece of this choice. `joined` counts the list elements that accept further pieces.
    pub(crate) fn add(&mut self, piece: Piece<'a>, joined: &mut usize) {
        let Piece { fields, mut delta } = piece;
        let mut whole = None;
        for (key, raw) in fields {
            self.has_token |= key == "text" && !json::is_blank(raw);
            match &*key {
                "index" => {}
                "delta" => {
                    if !std::mem::replace(&mut self.has_deltas, true) {
                        self.message = Some(StreamedMessage::default());
                    }
                    let delta = delta.take().or_else(|| json::object(raw)).unwrap_or_default();
                    self.has_token = self.has_token || delta.iter().any(|(key, raw)| is_token(key, raw));
                    self.message.get_or_insert_default().add(delta, joined);
                }
                "message" => whole = json::object(raw),
                "text" => merge::append(&mut self.fields, key, raw),
                "logprobs" => merge::concat(&mut self.fields, key, raw),
                "finish_reason" => merge::last_present(&mut self.fields, key, raw),
                _ if json::items(raw).is_some() => merge::concat(&mut self.fields, key, raw),
                _ => merge::last(&mut self.fields, key, raw),
            }
        }
        // Some servers send the whole message so far, beside each delta or instead of it.
        if let Some(whole) = whole
            && !self.has_deltas
        {
            // Later pieces never join the elements of its lists.
            self.message.insert(StreamedMessage::default()).add(whole, &mut { elements::MOST_JOINED });
        }
    }

    /// Appends a piece of text to a text that already exists.
    pub(crate) fn append(&mut self, is_delta: bool, key: Cow<'a, str>, piece: &str) {
        let fields = match &mut self.message {
            Some(message) if is_delta => &mut message.fields,
            _ => &mut self.fields,
        };
        merge::append_piece(fields, key, piece);
    }

    /// Repeats the other texts of matched chunks this many times.
    pub(crate) fn repeat(&mut self, said: &[(Cow<'a, str>, &'a str)], times: usize) {
        if let Some(message) = &mut self.message {
            for (key, piece) in said {
                merge::repeat(&mut message.fields, key.clone(), piece, times);
            }
        }
    }

    /// Whether this is a chat choice. Some servers send the text of a completion as a delta too.
    pub(crate) fn is_chat(&self, operation: Operation) -> bool {
        self.message.is_some() && !(operation == Operation::Completion && self.fields.contains("text"))
    }

    pub(crate) fn is_finished(&self) -> bool {
        let reason = self.fields.get("finish_reason").and_then(Node::as_text);
        reason.is_some_and(|reason| !reason.is_empty())
    }

    pub(crate) fn finish(mut self, index: Cow<'a, str>, operation: Operation) -> Node<'a> {
        let is_chat = self.is_chat(operation);
        let mut choice = Fields::default();
        choice.set("index", Node::Literal(index));
        if let Some(message) = self.message.filter(|_| is_chat) {
            // Only Mistral's unstreamed calls have an index.
            choice.set("message", message.finish(operation == Operation::MistralChat));
        }
        if !self.fields.contains("finish_reason") {
            self.fields.set("finish_reason", Node::NULL);
        }
        choice.extend(self.fields);
        Node::Object(choice)
    }
}

impl<'a> StreamedMessage<'a> {
    fn add(&mut self, delta: Entries<'a>, joined: &mut usize) {
        for (key, raw) in delta {
            match &*key {
                "role" => merge::first(&mut self.fields, key, raw),
                "tool_calls" => self.tool_calls.add(raw),
                "function_call" if json::is_null(raw) => {}
                "function_call" | "audio" => add_call(&mut self.fields, key, raw),
                "content" | "refusal" | "reasoning" | "reasoning_content" | "reasoning_text" | "thinking" => {
                    merge::append(&mut self.fields, key, raw);
                }
                // Labels are replaced, not appended to.
                label if is_label(label) => {
                    merge::last(&mut self.fields, key, raw);
                }
                _ => match json::text(raw) {
                    Some(piece) => merge::repeat(&mut self.fields, key, piece, 1),
                    None if json::items(raw).is_some() => elements::add(&mut self.fields, key, raw, joined),
                    None => merge::last(&mut self.fields, key, raw),
                },
            }
        }
    }

    fn finish(self, has_indices: bool) -> Node<'a> {
        let mut message = Fields::default();
        message.set("role", Node::Text("assistant".to_owned()));
        message.set("content", Node::NULL);
        message.extend(self.fields);
        if message.get("role").and_then(Node::as_text).is_none_or(str::is_empty) {
            message.set("role", Node::Text("assistant".to_owned()));
        }
        if let Some(calls) = self.tool_calls.finish(has_indices) {
            message.set("tool_calls", calls);
        }
        Node::Object(message)
    }
}

/// Whether a field of a delta is a name or a label. The last value of such a field counts.
pub(crate) fn is_label(key: &str) -> bool {
    matches!(key, "id" | "type" | "channel" | "name" | "status" | "phase" | "recipient" | "model" | "object")
}

/// Whether a field of a delta is output of the model.
fn is_token(key: &str, raw: &RawValue) -> bool {
    let is_said = matches!(
        key,
        "content"
            | "refusal"
            | "reasoning"
            | "reasoning_content"
            | "reasoning_text"
            | "thinking"
            | "tool_calls"
            | "function_call"
            | "audio"
    );
    is_said && !json::is_blank(raw) && !matches!(raw.get(), "[]" | "{}")
}
