use std::borrow::Cow;

use serde_json::value::RawValue;

use super::blocks::ConverseBlocks;
use crate::codec::json::{self, Fields, Node};
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles a Converse stream into the object that the unstreamed call would have returned.
///
/// An event is an object with its type as a field. Amazon's own models stream the same events if
/// they are invoked.
#[derive(Debug, Default)]
pub(super) struct ConverseAssembler<'a> {
    role: Option<&'a RawValue>,
    blocks: ConverseBlocks<'a>,
    /// The fields beside the message.
    top: Fields<'a>,
    has_stopped: bool,
}

/// The events that a message may begin with.
pub(super) const FIRST: [&str; 3] = ["messageStart", "contentBlockStart", "contentBlockDelta"];

impl<'a> ConverseAssembler<'a> {
    fn add(&mut self, kind: Cow<'a, str>, raw: &'a RawValue, progress: &mut Progress) {
        let Some(event) = json::object(raw) else {
            progress.skipped += 1;
            return;
        };
        let get = |name| json::field(&event, name);
        match &*kind {
            "messageStart" => self.role = get("role").or(self.role),
            kind @ ("contentBlockStart" | "contentBlockDelta") => {
                let is_start = kind == "contentBlockStart";
                let pieces = get(if is_start { "start" } else { "delta" }).and_then(json::object);
                match (pieces, self.blocks.of(&event)) {
                    (Some(start), Some(block)) if is_start => progress.has_token |= block.start(start),
                    (Some(delta), Some(block)) => progress.has_token |= block.add(delta),
                    _ => progress.skipped += 1,
                }
            }
            "contentBlockStop" => {}
            kind @ ("messageStop" | "metadata") => {
                // Only the last event has the usage, so a stream without it is not complete.
                progress.is_done |= kind == "metadata" && self.has_stopped;
                self.has_stopped |= kind == "messageStop";
                for (key, raw) in event {
                    if key != "p" && key != "output" {
                        merge::replace(&mut self.top, key, raw);
                    }
                }
            }
            "error" => {
                progress.has_error = true;
                self.top.set(kind, Node::Raw(raw));
            }
            // Bedrock adds these to the last event of an invoked model.
            name if name.starts_with("amazon-bedrock-") => merge::replace(&mut self.top, kind, raw),
            _ => progress.skipped += 1,
        }
    }
}

impl<'a> StreamAssembler<'a> for ConverseAssembler<'a> {
    fn push(&mut self, _: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let Some(events) = json::parse_object(data) else { return false };
        progress.chunks += 1;
        events.into_iter().for_each(|(kind, raw)| self.add(kind, raw, progress));
        true
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(self, _: Operation, progress: &mut Progress) -> String {
        progress.is_finished = self.has_stopped;
        let mut message = Fields::default();
        message.set("role", self.role.map_or(Node::Text("assistant".to_owned()), Node::Raw));
        message.set("content", self.blocks.finish());
        let mut output = Fields::default();
        output.set("message", Node::Object(message));
        let mut response = Fields::default();
        response.set("output", Node::Object(output));
        response.extend(self.top);
        response.to_json()
    }
}
