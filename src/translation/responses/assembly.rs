use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::super::chunk::{Chunk, Progress};
use super::super::json::{self, Fields, Node};
use super::MOST_ITEMS;

/// A streamed response, put together as the object that the unstreamed call would have returned.
#[derive(Debug, Default)]
pub(in super::super) struct Assembly<'a> {
    /// The latest object that the stream gave for the whole.
    response: Option<&'a RawValue>,
    items: BTreeMap<u64, Item<'a>>,
    error: Option<Node<'a>>,
    truncated: Option<Node<'a>>,
}

/// One item of the output.
#[derive(Debug, Default)]
struct Item<'a> {
    /// As it was announced.
    added: Option<&'a RawValue>,
    /// As it was when it was done.
    done: Option<&'a RawValue>,
    /// Its parts so far, by the kind of part and its index.
    parts: BTreeMap<(Part, u64), Content<'a>>,
    /// The arguments of a call so far, escaped.
    arguments: String,
    /// The latest preview of an image.
    partial_image: Option<&'a RawValue>,
}

/// One part of an item.
#[derive(Debug, Default)]
struct Content<'a> {
    /// Escaped.
    text: String,
    annotations: Vec<Node<'a>>,
    logprobs: Vec<Node<'a>>,
    /// As it was when it was done.
    done: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text,
    Refusal,
    Summary,
    Reasoning,
}

impl<'a> Assembly<'a> {
    /// Takes in one event.
    pub(in super::super) fn add(&mut self, event: &Chunk<'a>, progress: &mut Progress) {
        let delta = event.get("delta").filter(|delta| !json::is_blank(delta));
        progress.has_token |= delta.is_some();
        if let Some(error) = event.error() {
            self.error = Some(Node::Raw(error));
        }
        // An attack could make hundreds of thousands of items, which would be left out in the end.
        if ["output_index", "content_index", "summary_index"]
            .iter()
            .any(|index| number(event, index) > MOST_ITEMS as u64)
        {
            progress.skipped += 1;
            return;
        }
        if let Some(response) = event.get("response") {
            self.response = Some(response);
        }
        match str::from_utf8(event.kind()).unwrap_or_default() {
            "response.completed" | "response.incomplete" => progress.is_done = true,
            "response.failed" => {
                progress.is_done = true;
                progress.has_error = true;
            }
            "response.output_item.added" => self.item(event).added = event.get("item"),
            "response.output_item.done" => {
                progress.has_token = true;
                self.item(event).done = event.get("item");
            }
            "response.output_text.delta" => {
                let logprobs = event.get("logprobs").and_then(json::array).unwrap_or_default();
                let part = self.part(event, Part::Text, "content_index");
                part.logprobs.extend(logprobs.into_iter().map(Node::Raw));
                self.grow(event, Part::Text, "content_index", delta);
            }
            "response.content_part.done" => {
                let index = number(event, "content_index");
                // It stands for all that was said in pieces.
                self.item(event).parts.retain(|(part, at), _| *part == Part::Summary || *at != index);
                self.part(event, Part::Text, "content_index").done = event.get("part");
            }
            "response.refusal.delta" => self.grow(event, Part::Refusal, "content_index", delta),
            "response.reasoning_text.delta" => self.grow(event, Part::Reasoning, "content_index", delta),
            "response.reasoning_summary_text.delta" => {
                self.grow(event, Part::Summary, "summary_index", delta)
            }
            "response.function_call_arguments.delta"
            | "response.mcp_call_arguments.delta"
            | "response.custom_tool_call_input.delta"
            | "response.code_interpreter_call_code.delta" => {
                let text = delta.and_then(json::text).unwrap_or_default();
                self.item(event).arguments.push_str(text);
            }
            // They say all of what was said in pieces. Some servers send no pieces.
            "response.output_text.done" => self.set(event, Part::Text, "content_index", "text"),
            "response.refusal.done" => self.set(event, Part::Refusal, "content_index", "refusal"),
            "response.reasoning_text.done" => self.set(event, Part::Reasoning, "content_index", "text"),
            "response.reasoning_summary_text.done" => {
                self.set(event, Part::Summary, "summary_index", "text");
            }
            "response.function_call_arguments.done" | "response.mcp_call_arguments.done" => {
                self.item(event).set_arguments(event.get("arguments"));
            }
            "response.custom_tool_call_input.done" => self.item(event).set_arguments(event.get("input")),
            "response.code_interpreter_call_code.done" => {
                self.item(event).set_arguments(event.get("code"));
            }
            "response.output_text.annotation.added" => {
                let annotation = event.get("annotation").map(Node::Raw);
                self.part(event, Part::Text, "content_index").annotations.extend(annotation);
            }
            "response.image_generation_call.partial_image" => {
                progress.has_token = true;
                self.item(event).partial_image = event.get("partial_image_b64");
            }
            // Some servers send the whole answer as one event.
            _ if event.get("type").is_none() && event.get("output").is_some() => {
                self.response = event.whole();
                progress.is_done = true;
                progress.has_token = true;
            }
            _ => {}
        }
    }

    pub(in super::super) fn mark_truncated(&mut self, mark: Node<'a>) {
        self.truncated = Some(mark);
    }

    /// The whole, as JSON text.
    pub(in super::super) fn finish(self) -> String {
        let mut response = Fields::of(self.response.and_then(json::object).unwrap_or_default());
        response.set("object", Node::string("response"));
        let given = match response.get("output") {
            Some(Node::Raw(output)) => json::array(output).map_or(0, |items| items.len()),
            _ => 0,
        };
        // Some servers end with an empty output although they streamed items.
        if given < self.items.len() {
            response.set("output", Node::Array(self.items.into_values().map(Item::finish).collect()));
        }
        // The event says it in more words, but the unstreamed call would have said it as the response does.
        let has_error = matches!(response.get("error"), Some(Node::Raw(error)) if !json::is_null(error));
        if let Some(error) = self.error.filter(|_| !has_error) {
            response.set("error", error);
        }
        if let Some(mark) = self.truncated {
            response.set("truncated", mark);
        }
        response.to_json()
    }

    fn item(&mut self, event: &Chunk<'a>) -> &mut Item<'a> {
        self.items.entry(number(event, "output_index")).or_default()
    }

    fn grow(&mut self, event: &Chunk<'a>, part: Part, index: &str, delta: Option<&'a RawValue>) {
        let text = delta.and_then(json::text).unwrap_or_default();
        self.part(event, part, index).text.push_str(text);
    }

    fn set(&mut self, event: &Chunk<'a>, part: Part, index: &str, key: &str) {
        if let Some(text) = event.get(key).and_then(json::text) {
            text.clone_into(&mut self.part(event, part, index).text);
        }
    }

    fn part(&mut self, event: &Chunk<'a>, part: Part, index: &str) -> &mut Content<'a> {
        self.item(event).parts.entry((part, number(event, index))).or_default()
    }
}

impl<'a> Item<'a> {
    /// The item as far as it came.
    fn finish(self) -> Node<'a> {
        if let Some(done) = self.done {
            return Node::Raw(done);
        }
        let mut item = Fields::of(self.added.and_then(json::object).unwrap_or_default());
        let (mut content, mut summary) = (Vec::new(), Vec::new());
        for ((part, _), said) in self.parts {
            if let Some(done) = said.done {
                content.push(Node::Raw(done));
                continue;
            }
            let (kind, key) = match part {
                Part::Text => ("output_text", "text"),
                Part::Refusal => ("refusal", "refusal"),
                Part::Summary => ("summary_text", "text"),
                Part::Reasoning => ("reasoning_text", "text"),
            };
            let mut fields = Fields::default();
            fields.set("type", Node::string(kind));
            fields.set(key, Node::Text(said.text));
            if !said.annotations.is_empty() {
                fields.set("annotations", Node::Array(said.annotations));
            }
            if !said.logprobs.is_empty() {
                fields.set("logprobs", Node::Array(said.logprobs));
            }
            if part == Part::Summary { &mut summary } else { &mut content }.push(Node::Object(fields));
        }
        if !item.contains("type") {
            item.set("type", Node::string("message"));
            item.set("role", Node::string("assistant"));
        }
        if !content.is_empty() {
            item.set("content", Node::Array(content));
        }
        if !summary.is_empty() {
            item.set("summary", Node::Array(summary));
        }
        if !self.arguments.is_empty() {
            let key = ["input", "code"].into_iter().find(|key| item.contains(key)).unwrap_or("arguments");
            item.set(key, Node::Text(self.arguments));
        }
        if let Some(image) = self.partial_image {
            item.set("result", Node::Raw(image));
        }
        Node::Object(item)
    }

    fn set_arguments(&mut self, arguments: Option<&'a RawValue>) {
        if let Some(arguments) = arguments.and_then(json::text) {
            arguments.clone_into(&mut self.arguments);
        }
    }
}

fn number(event: &Chunk<'_>, name: &str) -> u64 {
    event.get(name).and_then(|raw| raw.get().parse().ok()).unwrap_or_default()
}
