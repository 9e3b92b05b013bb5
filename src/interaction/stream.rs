//! A streamed chat or completion, put together as the object that the unstreamed call would have returned.
//!
//! What a chunk holds decides how it is read, more than the endpoint: compatible servers stream chat chunks from
//! completion routes, and texts and deltas side by side.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::choice::Choice;
use super::json::{self, Fields, Node};
use super::merge;
use crate::endpoint::Endpoint;

/// The chunks seen so far.
#[derive(Debug, Default)]
pub(super) struct Assembly<'a> {
    top: Fields<'a>,
    choices: IndexMap<Cow<'a, str>, Choice<'a>, foldhash::fast::RandomState>,
    pub(super) progress: Progress,
}

/// OpenAI gives 128 choices at the most. Further ones are passed over: an attack could make millions.
const MOST_CHOICES: usize = 1_024;

/// What is known of a stream so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Whether it has said by itself that it is whole: OpenAI marks that with `[DONE]`.
    pub(super) is_done: bool,
    /// Whether it carried an error.
    pub(super) has_error: bool,
    /// Events that were no end.
    pub(super) chunks: u64,
    /// Whether there was a text, tool call, refusal or reasoning yet.
    pub(super) has_token: bool,
}

impl<'a> Assembly<'a> {
    /// Takes in one event.
    pub(super) fn add(&mut self, name: &[u8], data: &'a [u8]) {
        if data.trim_ascii() == b"[DONE]" {
            self.progress.is_done = true;
            return;
        }
        self.progress.chunks += 1;
        let Some(raw) = json::parse(data) else { return };
        let fields = json::object(raw);
        let is_chunk = fields.iter().flatten().any(|(key, _)| key == "choices" || key == "error");
        match fields {
            _ if name == b"error" && !is_chunk => self.set_error(raw),
            Some(fields) => self.add_chunk(fields),
            None => {}
        }
    }

    fn add_chunk(&mut self, fields: Vec<(Cow<'a, str>, &'a RawValue)>) {
        for (key, raw) in fields {
            match &*key {
                "choices" => {
                    json::array(raw).into_iter().flatten().for_each(|choice| self.add_choice(choice))
                }
                "error" if !json::is_null(raw) => self.set_error(raw),
                "id" | "model" | "created" | "object" => merge::first(&mut self.top, key, raw),
                // Padding against guessing texts from packet lengths; no unstreamed answer has it.
                "obfuscation" | "p" => {}
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    fn add_choice(&mut self, raw: &'a RawValue) {
        let Some(fields) = json::object(raw) else { return };
        let index = fields.iter().find(|(key, _)| key == "index").map_or("0", |(_, raw)| raw.get());
        let index = if index == "null" { "0" } else { index };
        if self.choices.len() >= MOST_CHOICES && !self.choices.contains_key(index) {
            return;
        }
        let choice = self.choices.entry(index.into()).or_default();
        choice.add(fields);
        self.progress.has_token |= choice.has_token;
    }

    fn set_error(&mut self, raw: &'a RawValue) {
        self.progress.has_error = true;
        self.top.set("error", Node::Raw(raw));
    }

    /// Says that the stream went on after what is here.
    pub(super) fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    /// The whole, as JSON text.
    pub(super) fn finish(mut self, endpoint: Endpoint) -> String {
        self.choices.sort_by_cached_key(|index, _| index.parse().unwrap_or(u64::MAX));
        let is_chat = match endpoint {
            Endpoint::Chat => true,
            _ => self.choices.values().any(|choice| choice.is_chat(endpoint)),
        };
        let object = if is_chat { "chat.completion" } else { "text_completion" };
        self.top.set("object", Node::Text(object.to_owned()));
        let choices =
            self.choices.into_iter().map(|(index, choice)| choice.finish(index, endpoint)).collect();
        self.top.set("choices", Node::Array(choices));
        let mut out = String::new();
        self.top.write(&mut out);
        out
    }
}
