use super::chat::chunk::Chunk;
use crate::codec::json::{self, Entries, Fields, Node, Nodes};
use crate::provider::media;
use crate::provider::openai::event;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles a stream of a transcription or of speech.
///
/// Of a transcription it keeps the text, the segments and the fields of the final event. Of speech
/// it keeps only the length of the audio.
#[derive(Debug, Default)]
pub(crate) struct AudioAssembler<'a> {
    top: Fields<'a>,
    /// The text so far, with its JSON escapes.
    text: String,
    segments: Nodes<'a>,
    /// Bytes of audio.
    sound: u64,
}

impl<'a> AudioAssembler<'a> {
    fn add(&mut self, event: Chunk<'a>, progress: &mut Progress) {
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
        } else if kind.ends_with(b".segment") {
            progress.has_token = true;
            let fields = event.fields.into_iter().filter(|(key, _)| key != "type").collect();
            self.segments.push(Node::Object(Fields::of(fields)));
        } else if let Some(sound) = event.get("audio").and_then(json::text) {
            progress.has_token = true;
            self.sound += media::decoded_length(sound);
        } else if let Some(delta) = text_of(&event) {
            progress.has_token = true;
            progress.is_finished |= has_finish_reason(&event);
            self.text.push_str(delta);
        } else if event.get("type").is_none() && event.get("choices").is_none() {
            // Some servers send the whole response as one event.
            progress.is_done = true;
            progress.has_token = true;
            self.top.extend(Fields::of(event.fields));
        }
    }
}

impl<'a> StreamAssembler<'a> for AudioAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        event::read(name, data, progress).map(|chunk| self.add(chunk, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, _: &mut Progress) -> String {
        if !self.text.is_empty() && !self.top.contains("text") {
            self.top.set("text", Node::Text(self.text));
        }
        if !self.segments.is_empty() && !self.top.contains("segments") {
            self.top.set("segments", Node::Array(self.segments));
        }
        if self.sound > 0 {
            self.top.set("bytes", Node::number(self.sound));
        }
        self.top.to_json()
    }
}

/// The text that an event adds, in the format of OpenAI, Mistral (`text` in a delta event) or vLLM
/// (a chat chunk).
fn text_of<'a>(event: &Chunk<'a>) -> Option<&'a str> {
    let text = event.get("delta").or_else(|| event.get("text").filter(|_| event.kind().ends_with(b".delta")));
    let chat = || json::field(&json::object(json::field(&choice(event)?, "delta")?)?, "content");
    text.or_else(chat).and_then(json::text)
}

/// Whether a chat chunk has a finish reason.
fn has_finish_reason(event: &Chunk<'_>) -> bool {
    let reason = choice(event).and_then(|choice| json::field(&choice, "finish_reason"));
    reason.is_some_and(|reason| !json::is_blank(reason))
}

fn choice<'a>(event: &Chunk<'a>) -> Option<Entries<'a>> {
    json::array(event.get("choices")?)?.first().copied().and_then(json::object)
}
