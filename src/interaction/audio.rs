use super::chunk::{Chunk, Progress};
use super::json::{self, Fields, Node};

/// A stream of a transcription or of speech: the text of a transcription is kept, and what its final event says; the
/// sound of speech is not.
#[derive(Debug, Default)]
pub(super) struct Assembly<'a> {
    top: Fields<'a>,
    /// The text so far, escaped.
    text: String,
}

impl<'a> Assembly<'a> {
    /// Takes in one event.
    pub(super) fn add(&mut self, event: Chunk<'a>, progress: &mut Progress) {
        let kind = event.kind();
        if let Some(error) = event.error() {
            self.top.set("error", Node::Raw(error));
        } else if kind.ends_with(b".done") {
            progress.is_done = true;
            for (key, raw) in event.fields {
                if key != "type" {
                    self.top.set(key, Node::Raw(raw));
                }
            }
        } else if let Some(delta) = event.get("delta").and_then(json::text) {
            progress.has_token = true;
            self.text.push_str(delta);
        }
    }

    pub(super) fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    /// The whole, as JSON text.
    pub(super) fn finish(mut self) -> String {
        if !self.text.is_empty() && !self.top.contains("text") {
            self.top.set("text", Node::Text(self.text));
        }
        let mut text = String::new();
        self.top.write(&mut text);
        text
    }
}
