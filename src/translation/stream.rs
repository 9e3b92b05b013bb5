//! A streamed chat or completion, put together as the object that the unstreamed call would have returned.
//!
//! What a chunk holds decides how it is read, more than the endpoint: compatible servers stream chat chunks from
//! completion routes, and texts and deltas side by side.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::choice::Choice;
use super::chunk::{Chunk, Progress};
use super::json::{self, Fields, Node};
use super::merge;
use crate::endpoint::Endpoint;

/// The chunks seen so far.
#[derive(Debug, Default)]
pub(super) struct Assembly<'a> {
    top: Fields<'a>,
    choices: IndexMap<Cow<'a, str>, Choice<'a>, foldhash::fast::RandomState>,
}

/// OpenAI gives 128 choices at the most. Further ones are passed over: an attack could make millions.
const MOST_CHOICES: usize = 1_024;

impl<'a> Assembly<'a> {
    /// Takes in one event.
    pub(super) fn add(&mut self, chunk: Chunk<'a>, progress: &mut Progress) {
        if let Some(error) = chunk.error() {
            self.top.set("error", Node::Raw(error));
            // An event that is nothing but an error has no fields of an answer.
            if std::ptr::eq(error, chunk.raw) {
                return;
            }
        }
        for (key, raw) in chunk.fields {
            match &*key {
                "choices" => {
                    let choices = json::array(raw);
                    progress.skipped += u64::from(choices.is_none() && raw.get().starts_with('['));
                    let choices = choices.into_iter().flatten();
                    choices.for_each(|choice| self.add_choice(choice, progress));
                }
                "error" => {}
                "id" | "model" | "created" | "object" => merge::first(&mut self.top, key, raw),
                // Padding against guessing texts from packet lengths; no unstreamed answer has it.
                "obfuscation" | "p" => {}
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    fn add_choice(&mut self, raw: &'a RawValue, progress: &mut Progress) {
        let Some(fields) = json::object(raw) else { return };
        let index = fields.iter().find(|(key, _)| key == "index").map_or("0", |(_, raw)| raw.get());
        let index = if index == "null" { "0" } else { index };
        if self.choices.len() >= MOST_CHOICES && !self.choices.contains_key(index) {
            progress.skipped += 1;
            return;
        }
        let choice = self.choices.entry(index.into()).or_default();
        choice.add(fields);
        progress.has_token |= choice.has_token;
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
        self.top.to_json()
    }
}
