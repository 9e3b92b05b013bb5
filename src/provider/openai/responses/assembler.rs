use serde_json::value::RawValue;

use super::items::{Items, number};
use super::part::{Content, Part};
use super::{MOST_PARTS, lengthen};
use crate::codec::json::{self, Fields, Node};
use crate::provider::openai::chat::chunk::Chunk;
use crate::provider::openai::event;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles a streamed response into the object that the unstreamed call would have returned.
#[derive(Debug)]
pub(crate) struct ResponseAssembler<'a> {
    /// The stream has sent `response.created`.
    is_created: bool,
    /// The latest snapshot of the whole response.
    response: Option<&'a RawValue>,
    /// The snapshot came with the event that ends the response.
    is_final: bool,
    items: Items<'a>,
    /// The number of parts that the items may still add.
    room: usize,
    error: Option<Node<'a>>,
    truncated: Option<Node<'a>>,
}

impl Default for ResponseAssembler<'_> {
    fn default() -> Self {
        Self {
            is_created: false,
            response: None,
            is_final: false,
            items: Items::default(),
            room: MOST_PARTS,
            error: None,
            truncated: None,
        }
    }
}

impl<'a> ResponseAssembler<'a> {
    fn add(&mut self, event: &Chunk<'a>, progress: &mut Progress) {
        let kind = str::from_utf8(event.kind()).unwrap_or_default();
        if kind == "response.created" {
            self.start(event, progress);
        }
        progress.has_token |= event.get("delta").is_some_and(|delta| !json::is_blank(delta));
        if let Some(error) = event.error() {
            self.error = Some(Node::Raw(error));
        }
        let is_final = matches!(
            kind,
            "response.completed" | "response.incomplete" | "response.failed" | "response.done"
        );
        if let Some(response) = event.get("response")
            && (is_final || !self.is_final)
        {
            (self.response, self.is_final) = (Some(response), is_final);
        }
        match kind {
            "response.completed" | "response.incomplete" | "response.done" => progress.is_done = true,
            "response.failed" => {
                progress.is_done = true;
                progress.has_error = true;
            }
            // Some servers send the whole response as one event.
            _ if event.get("type").is_none() && event.get("output").is_some() => {
                (self.response, self.is_final) = (event.whole(), true);
                progress.is_done = true;
                progress.has_token = true;
            }
            _ => {
                if self.add_piece(kind, event, progress).is_none() {
                    progress.skipped += 1;
                }
            }
        }
    }

    /// A second response starts over: a proxy has retried, or resends a stream from its beginning.
    fn start(&mut self, event: &Chunk<'a>, progress: &mut Progress) {
        if self.is_created {
            *self = Self::default();
            progress.is_done = false;
            progress.has_error = event.error().is_some();
        }
        self.is_created = true;
    }

    /// Adds a piece to its item; `None` if the piece is malformed, or if there are too many items
    /// or parts.
    fn add_piece(&mut self, kind: &str, event: &Chunk<'a>, progress: &mut Progress) -> Option<()> {
        let kind = kind.strip_prefix("response.").and_then(|kind| kind.rsplit_once('.'));
        match kind.unwrap_or_default() {
            ("output_item", "added") => self.items.item_added(event)?,
            ("output_item", "done") => {
                progress.has_token = true;
                self.items.complete(event)?;
            }
            ("content_part" | "reasoning_summary_part", "added") => {
                let (part, _, text) = whole_part(event)?;
                let index = number(event, part.index());
                let item = self.items.of_event(event, part.item())?;
                item.part_added(part, index, text, &mut self.room)?;
            }
            ("content_part" | "reasoning_summary_part", "done") => {
                let (part, raw, text) = whole_part(event)?;
                let index = number(event, part.index());
                let item = self.items.of_event(event, part.item())?;
                item.complete_part(part, index, text, raw, &mut self.room)?;
            }
            ("output_text.annotation", "added") => {
                if let Some(annotation) = event.get("annotation") {
                    lengthen(&mut self.part(event, Part::Text)?.annotations, annotation.get());
                }
            }
            ("image_generation_call", "partial_image") => {
                progress.has_token = true;
                let item = self.items.of_event(event, "image_generation_call")?;
                item.partial_image = event.get("partial_image_b64");
            }
            ("shell_call_output_content", "delta") => {
                let streams = event.get("delta").and_then(json::object).unwrap_or_default();
                for (key, text) in streams {
                    let part = match &*key {
                        "stdout" => Part::Stdout,
                        "stderr" => Part::Stderr,
                        _ => continue,
                    };
                    let text = json::text(text).unwrap_or_default();
                    self.part(event, part)?.text.push_str(text);
                }
            }
            ("shell_call_output_content", "done") => {
                if let Some(output) = event.get("output").filter(|output| json::items(output).is_some()) {
                    let part = self.part(event, Part::Stdout)?;
                    (part.done, part.is_finished) = (Some(output), true);
                }
            }
            (name, verb) => {
                if let Some(target) = TextTarget::of(name) {
                    self.add_text(target, verb, event)?;
                }
            }
        }
        Some(())
    }

    /// Adds a text, whole or in pieces.
    fn add_text(&mut self, target: TextTarget, verb: &str, event: &Chunk<'a>) -> Option<()> {
        let key = if verb == "delta" { "delta" } else { target.key() };
        let Some(text) = event.get(key).and_then(json::text) else { return Some(()) };
        let logprobs = event.get("logprobs").and_then(json::items).unwrap_or_default();
        match (target, verb) {
            (TextTarget::Part(part), "delta") => {
                let part = self.part(event, part)?;
                part.text.push_str(text);
                lengthen(&mut part.logprobs, logprobs);
            }
            // This is the text of all pieces. Some servers send no pieces.
            (TextTarget::Part(part), "added" | "done") => {
                let index = number(event, part.index());
                let item = self.items.of_event(event, part.item())?;
                let part = item.whole_part(part, index, text, &mut self.room)?;
                text.clone_into(&mut part.text);
                part.is_finished = verb == "done";
                if part.logprobs.is_empty() {
                    logprobs.clone_into(&mut part.logprobs);
                }
            }
            (TextTarget::Field { item, key }, "delta") => {
                self.items.of_event(event, item)?.text(key).push_str(text);
            }
            (TextTarget::Field { item, key }, "done") => {
                let item = self.items.of_event(event, item)?;
                text.clone_into(item.text(key));
                item.name = event.get("name").or(item.name);
            }
            _ => {}
        }
        Some(())
    }

    fn part(&mut self, event: &Chunk<'a>, part: Part) -> Option<&mut Content<'a>> {
        let index = number(event, part.index());
        self.items.of_event(event, part.item())?.part(part, index, &mut self.room)
    }
}

impl<'a> StreamAssembler<'a> for ResponseAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        event::read(name, data, progress).map(|chunk| self.add(&chunk, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.truncated = Some(mark);
    }

    fn finish(self, _: Operation, _: &mut Progress) -> String {
        let mut response = Fields::of(self.response.and_then(json::object).unwrap_or_default());
        response.set("object", Node::string("response"));
        let output = match response.get("output") {
            Some(Node::Raw(output)) if json::items(output).is_some_and(|items| !items.is_empty()) => {
                Some(*output)
            }
            _ => None,
        };
        // Some servers end with an empty output although they streamed items.
        let is_given = output.is_some() && (self.is_final || self.items.is_empty());
        if !is_given && !self.items.is_empty() {
            response.set("output", Node::List(self.items.into_output(output)));
        }
        // The event has more detail, but the unstreamed call would have returned the response's
        // error.
        let has_error = matches!(response.get("error"), Some(Node::Raw(error)) if !json::is_null(error));
        if let Some(error) = self.error.filter(|_| !has_error) {
            response.set("error", error);
        }
        if let Some(mark) = self.truncated {
            response.set("truncated", mark);
        }
        response.to_json()
    }
}

/// The complete part in an event, and its text with JSON escapes.
fn whole_part<'a>(event: &Chunk<'a>) -> Option<(Part, &'a RawValue, &'a str)> {
    let raw = event.get("part")?;
    let fields = json::object(raw)?;
    let get = |name| json::field(&fields, name).and_then(json::text);
    let text = ["text", "refusal", "transcript"].into_iter().find_map(get);
    Some((Part::of(get("type").unwrap_or_default()), raw, text.unwrap_or_default()))
}

/// The part or field that a text belongs to.
#[derive(Clone, Copy)]
enum TextTarget {
    Part(Part),
    /// A field of an item of this type.
    Field {
        item: &'static str,
        key: &'static str,
    },
}

impl TextTarget {
    /// The target of an event name.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "output_text" => Self::Part(Part::Text),
            "refusal" => Self::Part(Part::Refusal),
            "reasoning_text" | "reasoning" => Self::Part(Part::Reasoning),
            "reasoning_summary_text" | "reasoning_summary" => Self::Part(Part::Summary),
            "audio" | "output_audio" => Self::Part(Part::Audio),
            "audio.transcript" | "audio_transcript" | "output_audio_transcript" => {
                Self::Part(Part::Transcript)
            }
            "shell_call_command" => Self::Part(Part::Command),
            "function_call_arguments" => Self::Field { item: "function_call", key: "arguments" },
            "mcp_call_arguments" | "mcp_call.arguments" => Self::Field { item: "mcp_call", key: "arguments" },
            "custom_tool_call_input" => Self::Field { item: "custom_tool_call", key: "input" },
            "code_interpreter_call_code" | "code_interpreter_call.code" => {
                Self::Field { item: "code_interpreter_call", key: "code" }
            }
            "apply_patch_call_operation_diff" => Self::Field { item: "apply_patch_call", key: "diff" },
            _ => return None,
        })
    }

    /// The field of an event that contains the whole text.
    fn key(self) -> &'static str {
        match self {
            Self::Part(part) => part.key(),
            Self::Field { key, .. } => key,
        }
    }
}
