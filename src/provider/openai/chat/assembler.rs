//! Assembles a streamed chat or completion into the object that the unstreamed call would have
//! returned.
//!
//! The fields of a chunk, more than the operation, decide how it is read: compatible servers
//! stream chat chunks from completion routes, and send texts and deltas side by side.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::choice::Choice;
use super::chunk::{Choices, Chunk, Piece};
use super::chunk_template::ChunkTemplate;
use crate::codec::json::{self, Fields, Node};
use crate::provider::merge;
use crate::provider::openai::event;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

#[derive(Debug, Default)]
pub(crate) struct ChatAssembler<'a> {
    top: Fields<'a>,
    choices: IndexMap<Cow<'a, str>, Choice<'a>, foldhash::fast::RandomState>,
    /// The template of the previous chunk, if later chunks may match it.
    template: Option<ChunkTemplate<'a>>,
    /// The text of the chunks that matched since, and their number.
    pending: String,
    pending_chunks: usize,
    /// The current chunk matched the previous one.
    is_match: bool,
    /// The number of chunks in a row that did not match.
    misses: u32,
    /// The usage inside choices, for servers that send none at the top level.
    usage_of_choices: Fields<'a>,
    /// The number of list elements that accept further pieces.
    joined: usize,
}

/// The maximum number of choices. OpenAI allows 128; an attacker could send millions. Further
/// choices are skipped.
const MOST_CHOICES: usize = 1_024;

/// After this many mismatches in a row, few chunks are compared, because each mismatch costs a
/// second scan.
const MOST_MISSES: u32 = 64;

/// One in this many chunks is still compared then: streams of tool calls or reasoning often end
/// with text.
const SELDOM: u32 = 16;

impl<'a> ChatAssembler<'a> {
    /// Adds an event if it matches the previous one. Returns whether it did.
    pub(crate) fn add_matching(&mut self, data: &[u8]) -> bool {
        self.is_match = false;
        let Some(template) = &self.template else { return false };
        let Some(text) = template.text_of(data) else { return false };
        self.is_match = true;
        self.misses = 0;
        if !template.is_settled {
            return false;
        }
        self.pending.push_str(text);
        self.pending_chunks += 1;
        true
    }

    /// Adds the pending text of the chunks that matched.
    fn settle(&mut self) {
        if let Some(ChunkTemplate { text_delta, .. }) = &self.template
            && self.pending_chunks > 0
            && let Some(choice) = self.choices.get_mut(text_delta.index)
        {
            choice.append(text_delta.is_delta, text_delta.key.clone(), &self.pending);
            choice.repeat(&text_delta.repeated, self.pending_chunks);
        }
        self.pending.clear();
        self.pending_chunks = 0;
    }

    fn add(&mut self, data: &'a [u8], chunk: Chunk<'a>, progress: &mut Progress) {
        if let Some(error) = chunk.error() {
            self.top.set("error", Node::Raw(error));
            // An event that is only an error has no fields of a response.
            if chunk.is_error() {
                return;
            }
        }
        let mut choices = chunk.choices();
        let is_chunk = choices.is_some();
        self.set_template(data, &chunk, choices.as_ref());
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
                // Padding that keeps packet lengths from revealing the text. Unstreamed responses
                // do not have it.
                "obfuscation" | "p" => {}
                // An event with a `type` and no choices is a keep-alive or about something else.
                // Its `type` does not belong to the response.
                "type" if !is_chunk => {}
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    /// Makes this chunk the template for the next one. After many mismatches it does so rarely.
    fn set_template(&mut self, data: &'a [u8], chunk: &Chunk<'a>, choices: Option<&Choices<'a>>) {
        self.settle();
        self.template = None;
        self.misses = self.misses.saturating_add(1);
        if self.misses <= MOST_MISSES || self.misses.is_multiple_of(SELDOM) {
            let template = ChunkTemplate::of(data, chunk, choices, self.is_match);
            // Nothing is added to a choice beyond the limit.
            self.template =
                template.filter(|new| !new.is_settled || self.choices.contains_key(new.text_delta.index));
        }
    }

    fn add_piece(&mut self, piece: Piece<'a>, progress: &mut Progress) {
        let index = piece.index();
        if self.choices.len() >= MOST_CHOICES && !self.choices.contains_key(index) {
            progress.skipped += 1;
            return;
        }
        if let Some(usage) = json::field(&piece.fields, "usage").filter(|usage| !json::is_null(usage)) {
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

    /// An assembler that never compares chunks.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn without_templates() -> Self {
        // The counter saturates here, and this value is not a multiple of `SELDOM`.
        Self { misses: u32::MAX, ..Self::default() }
    }
}

impl<'a> StreamAssembler<'a> for ChatAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        if self.add_matching(data) {
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
            Operation::Chat | Operation::MistralChat | Operation::PerplexityChat => true,
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
