use std::borrow::Cow;

use serde_json::value::RawValue;

use super::arguments::Room;
use super::parts::Parts;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;
use crate::provider::stream::Progress;

/// One of the answers of a stream.
#[derive(Debug, Default)]
pub(super) struct Candidate<'a> {
    fields: Fields<'a>,
    content: Option<Fields<'a>>,
    parts: Option<Parts<'a>>,
    is_finished: bool,
}

impl<'a> Candidate<'a> {
    /// Adds what a chunk has of this candidate.
    pub(super) fn add(&mut self, fields: Entries<'a>, room: &mut Room, progress: &mut Progress) {
        for (key, raw) in fields {
            match &*key {
                "content" => self.add_content(raw, room, progress),
                "groundingMetadata" | "grounding_metadata" => merge::concat_new(&mut self.fields, key, raw),
                "citationMetadata" | "citation_metadata" | "logprobsResult" | "logprobs_result" => {
                    merge::concat(&mut self.fields, key, raw);
                }
                "finishReason" | "finish_reason" => {
                    self.is_finished |= is_reason(raw);
                    merge::last(&mut self.fields, key, raw);
                }
                _ => merge::last(&mut self.fields, key, raw),
            }
        }
    }

    fn add_content(&mut self, raw: &'a RawValue, room: &mut Room, progress: &mut Progress) {
        let Some(fields) = json::object(raw) else {
            progress.skipped += u64::from(!json::is_null(raw));
            return;
        };
        let content = self.content.get_or_insert_default();
        for (key, raw) in fields {
            match &*key {
                "role" => merge::first(content, key, raw),
                "parts" => self.parts.get_or_insert_default().add(raw, room, progress),
                _ => merge::last(content, key, raw),
            }
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    pub(super) fn finish(self) -> Node<'a> {
        let mut candidate = Fields::default();
        if let Some(mut content) = self.content {
            if let Some(parts) = self.parts {
                content.set(Cow::Borrowed("parts"), parts.finish());
            }
            candidate.set("content", Node::Object(content));
        }
        candidate.extend(self.fields);
        Node::Object(candidate)
    }
}

/// Whether a finish reason or block reason is one. Some clients ask for the numbers of the names.
pub(super) fn is_reason(raw: &RawValue) -> bool {
    !json::is_blank(raw) && raw.get() != "0" && !raw.get().ends_with("_UNSPECIFIED\"")
}
