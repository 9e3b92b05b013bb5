use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles a stream of `/api/chat` or `/api/generate` into the object that the unstreamed call
/// would have returned.
#[derive(Debug, Default)]
pub(crate) struct OllamaAssembler<'a> {
    top: Fields<'a>,
    message: Fields<'a>,
}

impl<'a> OllamaAssembler<'a> {
    fn add(&mut self, line: Entries<'a>, progress: &mut Progress) {
        for (key, raw) in line {
            match &*key {
                "message" => match json::object(raw) {
                    Some(message) => {
                        // The message keeps its place among the other fields.
                        self.top.entry(key, || Node::NULL);
                        self.add_message(message, progress);
                    }
                    None => progress.skipped += 1,
                },
                "response" | "thinking" => {
                    progress.has_token |= !json::is_blank(raw);
                    merge::append(&mut self.top, key, raw);
                }
                "logprobs" => merge::concat(&mut self.top, key, raw),
                "error" if !json::is_null(raw) => {
                    progress.has_error = true;
                    self.top.set(key, Node::Raw(raw));
                }
                "error" => {}
                _ => {
                    if key == "done" && raw.get() == "true" {
                        progress.is_done = true;
                        progress.is_finished = true;
                    }
                    merge::last(&mut self.top, key, raw);
                }
            }
        }
    }

    fn add_message(&mut self, message: Entries<'a>, progress: &mut Progress) {
        for (key, raw) in message {
            match &*key {
                "content" | "thinking" => {
                    progress.has_token |= !json::is_blank(raw);
                    merge::append(&mut self.message, key, raw);
                }
                _ => match json::items(raw) {
                    // Every call is complete. It may hold an index of its own.
                    Some(items) => {
                        progress.has_token |= key == "tool_calls" && !items.is_empty();
                        merge::concat(&mut self.message, key, raw);
                    }
                    None => merge::last(&mut self.message, key, raw),
                },
            }
        }
    }
}

impl<'a> StreamAssembler<'a> for OllamaAssembler<'a> {
    fn push(&mut self, _: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let line = json::parse_object(data);
        progress.chunks += u64::from(line.is_some());
        line.map(|line| self.add(line, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, operation: Operation, _: &mut Progress) -> String {
        // Consoles expect the text, even if none of its lines arrived.
        if !self.top.contains("error") {
            let (key, empty) = match operation {
                Operation::OllamaGenerate => ("response", Node::Text(String::new())),
                _ => ("message", Node::NULL),
            };
            self.top.entry(key.into(), || empty);
        }
        if self.top.contains("message") {
            self.top.set("message", Node::Object(self.message));
        }
        self.top.to_json()
    }
}
