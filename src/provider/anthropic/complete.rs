//! Assembles a stream of `/v1/complete`, the API before messages.

use super::event::AnthropicEvent;
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
    fn add(&mut self, event: AnthropicEvent<'a>, progress: &mut Progress) {
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
                ("completion" | "error", _) => {}
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
        AnthropicEvent::read(name, data, progress).map(|event| self.add(event, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, progress: &mut Progress) -> String {
        progress.is_finished = self.is_finished();
        // Consoles expect it, except beside an error.
        if !self.top.contains("error") {
            self.top.entry("completion".into(), || Node::Text(String::new()));
        }
        self.top.to_json()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;

    use super::*;
    use crate::codec::end_marker::EndMarker;
    use crate::codec::framing::Framing;
    use crate::provider::stream::{Assembled, RecordedStream, assemble};

    fn completion(events: &[&str]) -> (String, Progress) {
        let bytes: String = events.iter().map(|data| format!("data: {data}\r\n\r\n")).collect();
        let stream = RecordedStream {
            bytes: bytes.as_bytes(),
            framing: Framing::Events,
            end_marker: EndMarker(Some("[DONE]")),
            mended: &OnceCell::new(),
            truncated: None,
            charge: &|_| true,
        };
        let Assembled { json, progress, .. } =
            assemble::<CompleteAssembler<'_>>(stream, Operation::AnthropicCompletion);
        (json, progress)
    }

    const EVENTS: [&str; 4] = [
        r#"{"type":"completion","id":"c","completion":" Li","stop_reason":null,"stop":null }"#,
        r#"{"type": "ping"}"#,
        r#"{"type":"completion","id":"c","completion":"ght\n","stop_reason":null,"stop":null   }"#,
        r#"{"type":"completion","id":"c","completion":"","stop_reason":"stop_sequence","stop":"\n\nHuman:"}"#,
    ];

    #[test]
    fn texts_are_joined_and_of_other_fields_the_last_value_counts() {
        let whole = r#"{"type":"completion","id":"c","completion":" Light\n","stop_reason":"stop_sequence","stop":"\n\nHuman:"}"#;
        let (json, progress) = completion(&EVENTS);
        assert_eq!(json, whole);
        assert!(progress.is_done && progress.is_finished && progress.has_token && !progress.has_error);
        assert_eq!((progress.chunks, progress.skipped), (4, 0));
        let progress = completion(&EVENTS[..3]).1;
        assert!(!progress.is_done && !progress.is_finished, "the last event is the one with a reason");
    }

    #[test]
    fn events_of_bedrock_need_no_type() {
        let (json, progress) = completion(&[
            r#"{"completion":"a","stop_reason":null}"#,
            r#"{"completion":"b","stop_reason":"max_tokens","amazon-bedrock-invocationMetrics":{"x":1}}"#,
        ]);
        assert_eq!(
            json,
            r#"{"completion":"ab","stop_reason":"max_tokens","amazon-bedrock-invocationMetrics":{"x":1}}"#
        );
        assert!(progress.is_done);
    }

    #[test]
    fn an_error_stands_beside_the_text_and_other_events_are_counted() {
        let (json, progress) = completion(&[
            EVENTS[0],
            r#"{"type":"weather"}"#,
            r#"{"completion":7}"#,
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
        ]);
        assert!(json.contains(r#""error":{"type":"overloaded_error"}"#), "{json}");
        assert!(json.contains(r#""completion":" Li""#), "{json}");
        assert!(progress.has_error && !progress.is_done);
        assert_eq!((progress.chunks, progress.skipped), (4, 1));
    }
}
