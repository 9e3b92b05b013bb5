//! Assembles a stream into the object that the unstreamed call would have returned.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::arguments::Room;
use super::candidate::{Candidate, is_reason};
use super::text_template::{Match, TextTemplate};
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Each chunk of a stream is a whole response with a part of the content.
#[derive(Debug, Default)]
pub(crate) struct GeminiAssembler<'a> {
    top: Fields<'a>,
    candidates: IndexMap<Cow<'a, str>, Candidate<'a>, foldhash::fast::RandomState>,
    /// The values that the arguments of calls may still add.
    room: Room,
    /// The template of the previous chunk, if later chunks may match it, and the index of its
    /// candidate.
    template: Option<(TextTemplate<'a>, Cow<'a, str>)>,
    /// The text of the chunks that matched since, and the usage of the last one.
    pending: String,
    usage: &'a [u8],
    #[cfg(any(test, fuzzing))]
    never_compares: bool,
}

/// The maximum number of candidates. Gemini allows 8; an attacker could send millions. Further
/// candidates are skipped.
const MOST_CANDIDATES: usize = 1_024;

impl<'a> GeminiAssembler<'a> {
    /// An assembler that never compares chunks.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn without_templates() -> Self {
        Self { never_compares: true, ..Self::default() }
    }

    /// The match of a chunk with the previous one, and whether the match is enough to add the chunk.
    fn find_match(&self, data: &'a [u8]) -> Option<(Match<'a>, bool)> {
        #[cfg(any(test, fuzzing))]
        if self.never_compares {
            return None;
        }
        let (template, _) = self.template.as_ref()?;
        Some((template.of_match(data)?, template.is_settled))
    }

    /// Adds a chunk that matches the previous one.
    fn add_match(&mut self, found: &Match<'a>, progress: &mut Progress) {
        self.pending.push_str(found.text);
        self.usage = found.usage;
        progress.chunks += 1;
        progress.has_token |= !found.text.is_empty();
    }

    /// Adds the text and the usage of the chunks that matched.
    fn settle(&mut self) {
        let template = self.template.take();
        if let Some((_, index)) = template
            && let Some(candidate) = self.candidates.get_mut(&index)
        {
            candidate.append(&self.pending);
        }
        self.pending.clear();
        let usage = std::mem::take(&mut self.usage);
        if !usage.is_empty()
            && let Some(usage) = json::parse(usage)
        {
            merge::last(&mut self.top, Cow::Borrowed("usageMetadata"), usage);
        }
    }

    fn add(
        &mut self,
        chunk: Entries<'a>,
        progress: &mut Progress,
    ) -> Option<(Cow<'a, str>, &'a str, Option<&'a RawValue>)> {
        let (mut text, mut usage, mut is_repeatable) = (None, None, true);
        for (key, raw) in chunk {
            match &*key {
                "candidates" => {
                    is_repeatable &= text.is_none();
                    text = self.add_candidates(raw, progress);
                }
                "error" if json::is_null(raw) => {}
                "error" => {
                    self.top.set(key, Node::Raw(raw));
                    progress.has_error = true;
                    is_repeatable = false;
                }
                "responseId" | "response_id" | "createTime" | "create_time" | "modelVersion"
                | "model_version" => merge::first(&mut self.top, key, raw),
                // Each chunk has the usage of all chunks so far, or some of it.
                "usageMetadata" => {
                    is_repeatable &= usage.replace(raw).is_none();
                    merge::last(&mut self.top, key, raw);
                }
                _ => merge::last(&mut self.top, key, raw),
            }
        }
        let (index, text) = text.filter(|_| is_repeatable)?;
        Some((index, text, usage))
    }

    /// Adds the candidates of a chunk. Returns the index and the text if there is only one, and chunks
    /// like it may follow.
    fn add_candidates(
        &mut self,
        raw: &'a RawValue,
        progress: &mut Progress,
    ) -> Option<(Cow<'a, str>, &'a str)> {
        let Some(candidates) = json::array(raw) else {
            progress.skipped += u64::from(!json::is_null(raw));
            return None;
        };
        let (is_one, mut last) = (candidates.len() == 1, None);
        for candidate in candidates {
            let Some(fields) = json::object(candidate) else {
                progress.skipped += 1;
                continue;
            };
            let index = json::field(&fields, "index").filter(|index| !json::is_null(index));
            let index = index.map_or("0", RawValue::get);
            if self.candidates.len() >= MOST_CANDIDATES && !self.candidates.contains_key(index) {
                progress.skipped += 1;
                continue;
            }
            let candidate = self.candidates.entry(index.into()).or_default();
            last = candidate.add(fields, &mut self.room, progress).map(|text| (index.into(), text));
        }
        last.filter(|_| is_one)
    }

    /// Whether every candidate has a finish reason, or the prompt was blocked.
    fn is_finished(&self) -> bool {
        if self.candidates.is_empty() {
            return self.has_blocked_prompt();
        }
        self.candidates.values().all(Candidate::is_finished)
    }

    fn has_blocked_prompt(&self) -> bool {
        let feedback = ["promptFeedback", "prompt_feedback"].into_iter().find_map(|key| self.top.get(key));
        let reason = |name: &str| match feedback {
            Some(Node::Raw(raw)) => {
                json::object(raw).is_some_and(|fields| json::field(&fields, name).is_some_and(is_reason))
            }
            Some(Node::Object(fields)) => {
                matches!(fields.get(name), Some(Node::Raw(raw)) if is_reason(raw))
            }
            _ => false,
        };
        reason("blockReason") || reason("block_reason")
    }
}

impl<'a> StreamAssembler<'a> for GeminiAssembler<'a> {
    fn push(&mut self, _: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let found = self.find_match(data);
        if let Some((found, true)) = &found {
            self.add_match(found, progress);
            return true;
        }
        if let Some(chunk) = json::parse_object(data) {
            self.settle();
            progress.chunks += 1;
            if let Some((index, text, usage)) = self.add(chunk, progress) {
                self.template =
                    TextTemplate::of(data, text, usage, found.is_some()).map(|template| (template, index));
            }
            return true;
        }
        // Some gateways send an error as the only element of an array.
        let Some(elements) = json::parse(data).and_then(json::array) else { return false };
        let mut chunks = elements.into_iter().filter_map(json::object).peekable();
        let is_read = chunks.peek().is_some();
        self.settle();
        progress.chunks += u64::from(is_read);
        chunks.for_each(|chunk| drop(self.add(chunk, progress)));
        is_read
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, progress: &mut Progress) -> String {
        self.settle();
        progress.is_finished = self.is_finished();
        // Consoles expect the list, except beside an error or a blocked prompt.
        let needs_none = progress.has_error || self.top.contains("promptFeedback");
        if !self.candidates.is_empty() || !needs_none {
            self.candidates.sort_by_cached_key(|index, _| index.parse().unwrap_or(u64::MAX));
            let candidates = self.candidates.into_values().map(Candidate::finish).collect();
            self.top.set("candidates", Node::Array(candidates));
        }
        self.top.to_json()
    }
}

#[cfg(test)]
mod tests;
