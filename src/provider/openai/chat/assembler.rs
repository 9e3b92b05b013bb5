//! A streamed chat or completion, put together as the object that the unstreamed call would have returned.
//!
//! What a chunk holds decides how it is read, more than the operation: compatible servers stream chat chunks from
//! completion routes, and texts and deltas side by side.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::choice::Choice;
use super::chunk::{Choices, Chunk, Piece};
use super::chunk_template::Pattern;
use crate::codec::json::merge;
use crate::codec::json::{self, Fields, Node};
use crate::provider::openai::event;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The chunks seen so far.
#[derive(Debug, Default)]
pub(crate) struct ChatAssembler<'a> {
    top: Fields<'a>,
    choices: IndexMap<Cow<'a, str>, Choice<'a>, foldhash::fast::RandomState>,
    /// The chunk before, if further ones may be like it.
    pattern: Option<Pattern<'a>>,
    /// What chunks that are like it have added since, and how many there were.
    pending: String,
    pending_chunks: usize,
    /// The chunk that is being added was like the one before.
    is_alike: bool,
    /// How many chunks in a row were not like the one before.
    misses: u32,
    /// The usage that choices gave, for servers that give none beside them.
    usage_of_choices: Fields<'a>,
    /// How many elements of lists can be joined to.
    joined: usize,
}

/// OpenAI gives 128 choices at the most. Further ones are passed over: an attack could make millions.
const MOST_CHOICES: usize = 1_024;

/// After so many chunks in a row that were not like the one before, few are compared: each costs a second look.
const MOST_MISSES: u32 = 64;

/// One of so many chunks is compared then: what streams of tool calls or thoughts end with is often text.
const SELDOM: u32 = 16;

impl<'a> ChatAssembler<'a> {
    /// Takes in one event, if it is like the one before. Returns whether it was.
    pub(crate) fn add_alike(&mut self, data: &[u8]) -> bool {
        self.is_alike = false;
        let Some(pattern) = &self.pattern else { return false };
        let Some(text) = pattern.text_of(data) else { return false };
        self.is_alike = true;
        self.misses = 0;
        if !pattern.is_settled {
            return false;
        }
        self.pending.push_str(text);
        self.pending_chunks += 1;
        true
    }

    /// Adds what chunks that are alike have added.
    fn settle(&mut self) {
        if let Some(Pattern { said, .. }) = &self.pattern
            && self.pending_chunks > 0
            && let Some(choice) = self.choices.get_mut(said.index)
        {
            choice.append(said.is_delta, said.key.clone(), &self.pending);
            choice.repeat(&said.repeated, self.pending_chunks);
        }
        self.pending.clear();
        self.pending_chunks = 0;
    }

    /// Takes in one event.
    fn add(&mut self, data: &'a [u8], chunk: Chunk<'a>, progress: &mut Progress) {
        if let Some(error) = chunk.error() {
            self.top.set("error", Node::Raw(error));
            // An event that is nothing but an error has no fields of an answer.
            if chunk.is_error() {
                return;
            }
        }
        let mut choices = chunk.choices();
        let is_chunk = choices.is_some();
        self.set_pattern(data, &chunk, choices.as_ref());
        for (key, raw) in chunk.fields {
            match &*key {
                "choices" => match choices.take().unwrap_or_else(|| Choices::of(raw)) {
                    Choices::One(piece) => self.add_piece(piece, progress),
                    Choices::Others(choices) => {
                        let pieces = choices.into_iter().filter_map(Piece::of);
                        pieces.for_each(|piece| self.add_piece(piece, progress));
                    }
                    Choices::Unreadable => progress.skipped += 1,
                    Choices::None => {}
                },
                "error" => {}
                "id" | "model" | "created" | "object" => merge::first(&mut self.top, key, raw),
                // Padding against guessing texts from packet lengths; no unstreamed answer has it.
                "obfuscation" | "p" => {}
                // What keeps a connection alive, or tells of something else, names itself.
                "type" if !is_chunk => {}
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    /// Compares the next chunk with this one; seldom, if that has been in vain for long.
    fn set_pattern(&mut self, data: &'a [u8], chunk: &Chunk<'a>, choices: Option<&Choices<'a>>) {
        self.settle();
        self.pattern = None;
        self.misses = self.misses.saturating_add(1);
        if self.misses <= MOST_MISSES || self.misses.is_multiple_of(SELDOM) {
            let pattern = Pattern::of(data, chunk, choices, self.is_alike);
            // Of a choice too many nothing is added.
            self.pattern = pattern.filter(|new| !new.is_settled || self.choices.contains_key(new.said.index));
        }
    }

    fn add_piece(&mut self, piece: Piece<'a>, progress: &mut Progress) {
        let index = piece.index();
        if self.choices.len() >= MOST_CHOICES && !self.choices.contains_key(index) {
            progress.skipped += 1;
            return;
        }
        let usage = piece.fields.iter().find(|(key, _)| key == "usage").map(|(_, raw)| *raw);
        if let Some(usage) = usage.filter(|usage| !json::is_null(usage)) {
            merge::last(&mut self.usage_of_choices, "usage".into(), usage);
        }
        let choice = self.choices.entry(index.into()).or_default();
        choice.add(piece, &mut self.joined);
        progress.has_token |= choice.has_token;
    }

    /// Whether every choice has a finish reason.
    pub(crate) fn is_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(Choice::is_finished)
    }

    /// Takes in every event by itself.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn without_patterns() -> Self {
        // More is not counted, and this is no multiple.
        Self { misses: u32::MAX, ..Self::default() }
    }
}

impl<'a> StreamAssembler<'a> for ChatAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        if event::is_blank_or_done(data, progress) {
            return true;
        }
        if self.add_alike(data) {
            progress.chunks += 1;
            return true;
        }
        event::read(name, data, progress).map(|chunk| self.add(data, chunk, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, operation: Operation, progress: &mut Progress) -> String {
        self.settle();
        progress.is_finished = self.is_finished();
        if self.top.get("usage").is_none_or(Node::is_null) {
            self.top.extend(self.usage_of_choices);
        }
        self.choices.sort_by_cached_key(|index, _| index.parse().unwrap_or(u64::MAX));
        let is_chat = match operation {
            Operation::Chat => true,
            _ => self.choices.values().any(|choice| choice.is_chat(operation)),
        };
        let object = if is_chat { "chat.completion" } else { "text_completion" };
        self.top.set("object", Node::Text(object.to_owned()));
        let choices =
            self.choices.into_iter().map(|(index, choice)| choice.finish(index, operation)).collect();
        self.top.set("choices", Node::Array(choices));
        self.top.to_json()
    }
}
