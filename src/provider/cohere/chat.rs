//! Assembles a stream of `/v2/chat` into the object that the unstreamed call would have returned.

use serde_json::value::RawValue;

use super::items::CohereItems;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// The fields of an event decide how it is added, rather than its type, so that an event of an
/// unknown type that adds to the message is not lost.
#[derive(Debug, Default)]
pub(crate) struct CohereChatAssembler<'a> {
    top: Fields<'a>,
    message: Fields<'a>,
    content: CohereItems<'a>,
    tool_calls: CohereItems<'a>,
    citations: CohereItems<'a>,
    /// The inside of the list of log probabilities.
    logprobs: String,
}

impl<'a> CohereChatAssembler<'a> {
    fn add(&mut self, name: &'a [u8], data: &'a [u8], event: &Entries<'a>, progress: &mut Progress) {
        let get = |key| json::field(event, key).filter(|raw| !json::is_null(raw));
        let kind = get("type").and_then(json::text).map_or(name, str::as_bytes);
        if let Some(id) = get("id") {
            merge::first(&mut self.top, "id".into(), id);
        }
        if let Some(logprobs) = get("logprobs") {
            merge::push_elements(&mut self.logprobs, logprobs.get());
        }
        if let Some(delta) = get("delta").and_then(json::object) {
            let index = get("index").and_then(|index| index.get().parse().ok()).unwrap_or_default();
            self.add_delta(delta, index, kind.ends_with(b"-start"), progress);
        } else if let Some(error) = get("error") {
            self.set_error(error, progress);
        } else if get("message").and_then(json::text).is_some() {
            // An error in the shape of the body of an unsuccessful response.
            json::parse(data).into_iter().for_each(|error| self.set_error(error, progress));
        } else if !(kind.ends_with(b"-end") || kind == b"debug") {
            progress.skipped += 1;
        }
        if kind == b"message-end" {
            progress.is_done = true;
            progress.is_finished = self.top.contains("finish_reason");
        }
    }

    fn add_delta(&mut self, delta: Entries<'a>, index: u64, begins: bool, progress: &mut Progress) {
        for (key, raw) in delta {
            match &*key {
                "message" => {
                    // Unstreamed responses have the message before the finish reason.
                    self.top.entry(key, || Node::NULL);
                    for (key, raw) in json::object(raw).into_iter().flatten() {
                        match &*key {
                            "content" | "tool_calls" | "citations" => {
                                self.add_items(&key, raw, index, begins, progress);
                            }
                            "role" => merge::first(&mut self.message, key, raw),
                            "tool_plan" if json::is_blank(raw) => {}
                            "tool_plan" => {
                                progress.has_token = true;
                                merge::append(&mut self.message, key, raw);
                            }
                            _ => merge::last(&mut self.message, key, raw),
                        }
                    }
                }
                _ if json::is_null(raw) => {}
                "error" => self.set_error(raw, progress),
                _ => merge::last(&mut self.top, key, raw),
            }
        }
    }

    /// Adds a piece of an item, or a list of whole items.
    fn add_items(
        &mut self,
        list: &str,
        raw: &'a RawValue,
        index: u64,
        begins: bool,
        progress: &mut Progress,
    ) {
        let items = match list {
            "content" => &mut self.content,
            "tool_calls" => &mut self.tool_calls,
            _ => &mut self.citations,
        };
        let mut add = |index, begins, piece: &'a RawValue| {
            let Some(piece) = json::object(piece) else { return };
            progress.has_token |= match list {
                "content" => piece
                    .iter()
                    .any(|(key, raw)| matches!(&**key, "text" | "thinking") && !json::is_blank(raw)),
                list => list == "tool_calls",
            };
            progress.skipped += u64::from(items.add(index, begins, piece).is_none());
        };
        match json::array(raw) {
            Some(whole) => (0..).zip(whole).for_each(|(index, item)| add(index, true, item)),
            None => add(index, begins, raw),
        }
    }

    fn set_error(&mut self, error: &'a RawValue, progress: &mut Progress) {
        progress.has_error = true;
        self.top.set("error", Node::Raw(error));
    }
}

impl<'a> StreamAssembler<'a> for CohereChatAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let event = json::parse_object(data);
        progress.chunks += u64::from(event.is_some());
        event.map(|event| self.add(name, data, &event, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, _: &mut Progress) -> String {
        let lists =
            [("content", self.content), ("tool_calls", self.tool_calls), ("citations", self.citations)];
        for (key, items) in lists {
            if !items.is_empty() {
                self.message.set(key, items.finish());
            }
        }
        // Consoles expect the message, even if none of its events arrived.
        if self.top.contains("message") || !self.top.contains("error") {
            self.top.set("message", Node::Object(self.message));
        }
        if !self.logprobs.is_empty() {
            self.top.set("logprobs", Node::List(self.logprobs));
        }
        self.top.to_json()
    }
}
