use super::json::{self, Fields, Node};
use super::stream::Progress;

/// A stream of a transcription or of speech: the text of a transcription is kept, and what its final event says; the
/// sound of speech is not.
#[derive(Debug, Default)]
pub(super) struct Assembly<'a> {
    top: Fields<'a>,
    /// The text so far, escaped.
    text: String,
    pub(super) progress: Progress,
}

impl<'a> Assembly<'a> {
    /// Takes in one event.
    pub(super) fn add(&mut self, name: &[u8], data: &'a [u8]) {
        if data.trim_ascii() == b"[DONE]" {
            self.progress.is_done = true;
            return;
        }
        self.progress.chunks += 1;
        let Some(raw) = json::parse(data) else { return };
        let Some(event) = json::object(raw) else { return };
        let get = |name: &str| event.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
        let kind = get("type").and_then(json::text).map(str::as_bytes).unwrap_or(name);
        let error = get("error").filter(|error| !json::is_null(error));
        if kind == b"error" || error.is_some() {
            self.progress.has_error = true;
            self.top.set("error", Node::Raw(error.unwrap_or(raw)));
        } else if kind.ends_with(b".done") {
            self.progress.is_done = true;
            for (key, raw) in event {
                if key != "type" {
                    self.top.set(key, Node::Raw(raw));
                }
            }
        } else if let Some(delta) = get("delta").and_then(json::text) {
            self.progress.has_token = true;
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
