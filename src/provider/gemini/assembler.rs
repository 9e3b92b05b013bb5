//! Assembles a streamed answer into the object that the unstreamed call would have returned.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::arguments::Room;
use super::candidate::{Candidate, is_reason};
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
    is_truncated: bool,
}

/// The maximum number of candidates. Gemini allows 8; an attacker could send millions. Further
/// candidates are skipped.
const MOST_CANDIDATES: usize = 1_024;

impl<'a> GeminiAssembler<'a> {
    fn add(&mut self, chunk: Entries<'a>, progress: &mut Progress) {
        for (key, raw) in chunk {
            match &*key {
                "candidates" => self.add_candidates(raw, progress),
                "error" if json::is_null(raw) => {}
                "error" => {
                    self.top.set(key, Node::Raw(raw));
                    progress.has_error = true;
                }
                "responseId" | "response_id" | "createTime" | "create_time" | "modelVersion"
                | "model_version" => merge::first(&mut self.top, key, raw),
                // Among these is the usage: each chunk has that of all chunks so far, or some of it.
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    fn add_candidates(&mut self, raw: &'a RawValue, progress: &mut Progress) {
        let Some(candidates) = json::array(raw) else {
            progress.skipped += u64::from(!json::is_null(raw));
            return;
        };
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
            candidate.add(fields, &mut self.room, progress);
        }
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
        if let Some(chunk) = json::parse_object(data) {
            progress.chunks += 1;
            self.add(chunk, progress);
            return true;
        }
        // Some gateways send an error as the only element of an array.
        let Some(elements) = json::parse(data).and_then(json::array) else { return false };
        let mut chunks = elements.into_iter().filter_map(json::object).peekable();
        let is_read = chunks.peek().is_some();
        progress.chunks += u64::from(is_read);
        chunks.for_each(|chunk| self.add(chunk, progress));
        is_read
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
        self.is_truncated = true;
    }

    fn finish(mut self, _: Operation, progress: &mut Progress) -> String {
        progress.is_finished = self.is_finished();
        // A response without candidates is as it was sent, unless candidates may be missing.
        let is_whole = !self.is_truncated || progress.has_error || self.has_blocked_prompt();
        if !self.candidates.is_empty() || !is_whole {
            self.candidates.sort_by_cached_key(|index, _| index.parse().unwrap_or(u64::MAX));
            let candidates = self.candidates.into_values().map(Candidate::finish).collect();
            self.top.set("candidates", Node::Array(candidates));
        }
        self.top.to_json()
    }
}

#[cfg(test)]
mod tests;
