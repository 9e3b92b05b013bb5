//! Assembles a stream of `/v1/chat` or `/v1/generate` into the object that the unstreamed call
//! would have returned.

use serde_json::value::RawValue;

use super::items::CohereItems;
use crate::codec::json::{self, Entries, Fields, Node, Nodes};
use crate::provider::indexed::Indexed;
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The last event has the whole response. Without it, the response is rebuilt from the other
/// events.
#[derive(Debug, Default)]
pub(crate) struct CohereLegacyAssembler<'a> {
    /// The response of the last event.
    response: Option<&'a RawValue>,
    finish_reason: Option<&'a RawValue>,
    /// The fields of the other events.
    top: Fields<'a>,
    /// The text of each generation, with its JSON escapes. A chat has one.
    texts: Indexed<String, MOST_GENERATIONS>,
    /// The tool calls whose pieces have arrived, until an event has all of them.
    tool_calls: CohereItems<'a>,
    error: Option<&'a RawValue>,
    truncated: Option<Node<'a>>,
}

/// The maximum number of generations. Cohere allows five.
const MOST_GENERATIONS: usize = 1_024;

impl<'a> CohereLegacyAssembler<'a> {
    fn add(&mut self, name: &'a [u8], event: Entries<'a>, progress: &mut Progress) {
        let get = |key| json::field(&event, key).filter(|raw| !json::is_null(raw));
        let kind = get("event_type").and_then(json::text).map_or(name, str::as_bytes);
        let index = get("index").and_then(|index| index.get().parse().ok()).unwrap_or_default();
        let is_end = kind == b"stream-end" || get("response").is_some();
        progress.is_done |= is_end;
        progress.is_finished |= is_end;
        for (key, raw) in event {
            if json::is_null(raw) {
                continue;
            }
            match &*key {
                "event_type" | "is_finished" | "index" => {}
                "response" => self.response = Some(raw),
                "finish_reason" => self.finish_reason = Some(raw),
                "err" | "error" => {
                    progress.has_error = true;
                    self.error = Some(raw);
                }
                // An error in the shape of the body of an unsuccessful response.
                "message" if kind.is_empty() => {
                    progress.has_error = true;
                    self.error = Some(raw);
                }
                "text" => {
                    let piece = json::text(raw).unwrap_or_default();
                    progress.has_token |= !piece.is_empty();
                    // This event repeats the text of the pieces.
                    if kind != b"tool-calls-generation" || self.texts.is_empty() {
                        self.add_text(index, piece, progress);
                    }
                }
                "tool_call_delta" => {
                    progress.has_token = true;
                    self.add_call(raw, progress);
                }
                "tool_calls" => {
                    progress.has_token = true;
                    self.tool_calls = CohereItems::default();
                    merge::concat(&mut self.top, key, raw);
                }
                _ if json::items(raw).is_some() => merge::concat(&mut self.top, key, raw),
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    fn add_text(&mut self, index: u64, piece: &str, progress: &mut Progress) {
        match self.texts.part(index) {
            Some(text) => text.push_str(piece),
            None => progress.skipped += 1,
        }
    }

    fn add_call(&mut self, raw: &'a RawValue, progress: &mut Progress) {
        let Some(piece) = json::object(raw) else { return };
        let index = json::field(&piece, "index").and_then(|index| index.get().parse().ok());
        let is_added = self.tool_calls.add(index.unwrap_or_default(), false, piece).is_some();
        progress.skipped += u64::from(!is_added);
    }

    /// The response as far as it has arrived.
    fn rebuild(&mut self, operation: Operation) -> Fields<'a> {
        let mut response = std::mem::take(&mut self.top);
        // Consoles expect the text, even if none of its events arrived.
        let is_expected = self.error.is_none();
        let mut texts = std::mem::take(&mut self.texts).sorted();
        if operation == Operation::CohereGenerate {
            let generations = texts.map(|text| {
                let mut generation = Fields::default();
                generation.set("text", Node::Text(text));
                Node::Object(generation)
            });
            let generations: Nodes<'_> = generations.collect();
            if is_expected || !generations.is_empty() {
                response.set("generations", Node::Array(generations));
            }
        } else if let Some(text) = texts.next().or(is_expected.then(String::new)) {
            response.set("text", Node::Text(text));
        }
        if !self.tool_calls.is_empty() {
            response.set("tool_calls", std::mem::take(&mut self.tool_calls).finish());
        }
        response
    }
}

impl<'a> StreamAssembler<'a> for CohereLegacyAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let event = json::parse_object(data);
        progress.chunks += u64::from(event.is_some());
        event.map(|event| self.add(name, event, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.truncated = Some(mark);
    }

    fn finish(mut self, operation: Operation, _: &mut Progress) -> String {
        let whole = self.response.and_then(json::object).map(Fields::of);
        let mut response = whole.unwrap_or_else(|| self.rebuild(operation));
        // In a response of `/v1/generate`, each generation has its own.
        if let Some(reason) = self.finish_reason
            && operation != Operation::CohereGenerate
        {
            response.entry("finish_reason".into(), || Node::Raw(reason));
        }
        if let Some(error) = self.error {
            response.set("error", Node::Raw(error));
        }
        if let Some(mark) = self.truncated {
            response.set("truncated", mark);
        }
        response.to_json()
    }
}
