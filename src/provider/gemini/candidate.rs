use std::borrow::Cow;

use serde_json::value::RawValue;

use super::arguments::Room;
use super::parts::ContentParts;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;
use crate::provider::stream::Progress;

/// One of the responses in a stream: a request may ask for several.
#[derive(Debug, Default)]
pub(super) struct Candidate<'a> {
    fields: Fields<'a>,
    content: Option<Fields<'a>>,
    parts: Option<ContentParts<'a>>,
    is_finished: bool,
}

impl<'a> Candidate<'a> {
    /// Adds the part of this candidate in a chunk. Returns its text if later chunks may continue it
    /// and repeating the other fields would change nothing.
    pub(super) fn add(
        &mut self,
        fields: Entries<'a>,
        room: &mut Room,
        progress: &mut Progress,
    ) -> Option<&'a str> {
        let (mut text, mut is_repeatable) = (None, true);
        for (key, raw) in fields {
            is_repeatable &= match &*key {
                "content" => text.is_none(),
                "index" | "safetyRatings" => true,
                _ => false,
            };
            match &*key {
                "content" => text = self.add_content(raw, room, progress),
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
        text.filter(|_| is_repeatable)
    }

    /// Continues the last text.
    pub(super) fn append(&mut self, text: &str) {
        if let Some(parts) = &mut self.parts {
            parts.append(text);
        }
    }

    fn add_content(
        &mut self,
        raw: &'a RawValue,
        room: &mut Room,
        progress: &mut Progress,
    ) -> Option<&'a str> {
        let Some(fields) = json::object(raw) else {
            progress.skipped += u64::from(!json::is_null(raw));
            return None;
        };
        let (mut text, mut count) = (None, 0);
        let content = self.content.get_or_insert_default();
        for (key, raw) in fields {
            match &*key {
                "role" => merge::first(content, key, raw),
                "parts" => {
                    text = self.parts.get_or_insert_default().add(raw, room, progress);
                    count += 1;
                }
                _ => merge::last(content, key, raw),
            }
        }
        text.filter(|_| count == 1)
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

/// Whether a finish or block reason is set. Clients may ask for enums as numbers; 0 and
/// `…_UNSPECIFIED` mean that it is not.
pub(super) fn is_reason(raw: &RawValue) -> bool {
    !json::is_blank(raw) && raw.get() != "0" && !raw.get().ends_with("_UNSPECIFIED\"")
}
