//! Assembles a stream of `/v1/complete`, the API before messages.

use super::event::ClaudeEvent;
use crate::codec::json::{self, Fields, Node};
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Joins the texts of all events. Of other fields, the last value counts.
#[derive(Debug, Default)]
pub(crate) struct CompleteAssembler<'a> {
    top: Fields<'a>,
}

impl<'a> CompleteAssembler<'a> {
    fn add(&mut self, event: ClaudeEvent<'a>, progress: &mut Progress) {
        if let Some(error) = event.error {
            self.top.set("error", Node::Raw(error));
        }
        // On Bedrock, events have no type.
        if event.kind == "ping" || event.get("completion").is_none() {
            progress.skipped += u64::from(event.kind != "ping" && event.error.is_none());
            return;
        }
        for (key, raw) in event.fields {
            match (&*key, json::text(raw)) {
                ("completion", Some(piece)) => {
                    progress.has_token |= !piece.is_empty();
                    merge::append_piece(&mut self.top, key, piece);
                }
                ("error", _) => {}
                _ => merge::replace(&mut self.top, key, raw),
            }
        }
        progress.is_done |= self.is_finished();
    }

    fn is_finished(&self) -> bool {
        self.top.get("stop_reason").is_some_and(|reason| !reason.is_null())
    }
}

impl<'a> StreamAssembler<'a> for CompleteAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        ClaudeEvent::read(name, data, progress).map(|event| self.add(event, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(self, _: Operation, progress: &mut Progress) -> String {
        progress.is_finished = self.is_finished();
        self.top.to_json()
    }
}
