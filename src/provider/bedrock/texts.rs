use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::indexed::Indexed;
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles the streams of models whose chunks have a text and a few counts: Titan, Llama, Cohere's
/// Command, Mistral, and Claude before messages.
#[derive(Debug, Default)]
pub(super) struct TextAssembler<'a> {
    top: Fields<'a>,
    /// The field of the list in which the unstreamed response has its texts, if it has one.
    list: &'static str,
    texts: Indexed<Fields<'a>, 1_024>,
    /// The finish reason of all texts, from a chunk without an index.
    finish_reason: Option<&'a RawValue>,
    /// The whole response, if the last chunk has it.
    whole: Option<&'a RawValue>,
}

impl<'a> TextAssembler<'a> {
    fn add(&mut self, chunk: Entries<'a>, progress: &mut Progress) {
        let index = json::field(&chunk, "index");
        let has = |name| json::field(&chunk, name).is_some();
        // Cohere's chats have names of events, and the whole response in the last one.
        let (is_event, is_cohere) = (has("event_type"), has("text"));
        let place = index.map_or(Some(0), |index| index_of(index.get()));
        for (key, raw) in chunk {
            match &*key {
                "error" => {
                    progress.has_error = true;
                    self.top.set(key, Node::Raw(raw));
                }
                "generation" | "completion" | "text" if is_event || key != "text" => {
                    progress.has_token |= !json::is_blank(raw);
                    merge::append(&mut self.top, key, raw);
                }
                // Titan.
                "outputText" | "totalOutputTextTokenCount" | "completionReason" => {
                    progress.is_finished |= key == "completionReason" && !json::is_null(raw);
                    let key = if key == "totalOutputTextTokenCount" { "tokenCount".into() } else { key };
                    self.add_to("results", place, key, raw, progress);
                }
                // Cohere. In an unstreamed response, the first text has no index.
                "text" => self.add_to("generations", place, key, raw, progress),
                "index" if place.is_some_and(|place| place > 0) && is_cohere => {
                    self.add_to("generations", place, key, raw, progress);
                }
                "finish_reason" if index.is_some() => {
                    self.add_to("generations", place, key, raw, progress);
                }
                "finish_reason" if !is_event => self.finish_reason = Some(raw),
                "generations" => {
                    progress.has_token = true;
                    merge::concat(&mut self.top, key, raw);
                }
                "is_finished" => progress.is_finished |= raw.get() == "true",
                "response" if raw.get().starts_with('{') => self.whole = Some(raw),
                // Mistral.
                "outputs" => self.add_outputs(raw, progress),
                "index" | "event_type" | "p" => {}
                _ => {
                    progress.is_finished |= key == "stop_reason" && !json::is_null(raw);
                    merge::replace(&mut self.top, key, raw);
                }
            }
        }
    }

    fn add_outputs(&mut self, raw: &'a RawValue, progress: &mut Progress) {
        for (place, output) in json::array(raw).unwrap_or_default().into_iter().enumerate() {
            for (key, raw) in json::object(output).unwrap_or_default() {
                progress.is_finished |= key == "stop_reason" && !json::is_null(raw);
                self.add_to("outputs", Some(place as u64), key, raw, progress);
            }
        }
    }

    /// Adds a field to a text of the list.
    fn add_to(
        &mut self,
        list: &'static str,
        place: Option<u64>,
        key: Cow<'a, str>,
        raw: &'a RawValue,
        progress: &mut Progress,
    ) {
        self.list = list;
        let Some(text) = place.and_then(|place| self.texts.part(place)) else {
            progress.skipped += 1;
            return;
        };
        if matches!(&*key, "text" | "outputText") {
            progress.has_token |= !json::is_blank(raw);
            merge::append(text, key, raw);
        } else {
            merge::replace(text, key, raw);
        }
    }
}

/// An index. Some models write it as `0.0`.
fn index_of(index: &str) -> Option<u64> {
    index.strip_suffix(".0").unwrap_or(index).parse().ok()
}

impl<'a> StreamAssembler<'a> for TextAssembler<'a> {
    fn push(&mut self, _: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let Some(chunk) = json::parse_object(data) else { return false };
        progress.chunks += 1;
        self.add(chunk, progress);
        true
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, _: &mut Progress) -> String {
        if let Some(whole) = self.whole.and_then(json::object) {
            self.top.extend(Fields::of(whole));
        } else if !self.texts.is_empty() {
            let texts = self.texts.sorted().map(|mut text| {
                if let Some(reason) = self.finish_reason {
                    text.set("finish_reason", Node::Raw(reason));
                }
                Node::Object(text)
            });
            self.top.set(self.list, Node::Array(texts.collect()));
        }
        self.top.to_json()
    }
}
