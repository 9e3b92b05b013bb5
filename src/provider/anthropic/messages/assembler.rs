use super::blocks::MessageBlocks;
use super::delta_template::DeltaTemplate;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::anthropic::event::AnthropicEvent;
use crate::provider::merge;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles a streamed message into the object that the unstreamed call would have returned.
#[derive(Debug, Default)]
pub(crate) struct MessageAssembler<'a> {
    message: Fields<'a>,
    /// The id of the message, as JSON, once the stream has sent `message_start`.
    started: Option<&'a str>,
    blocks: MessageBlocks<'a>,
    /// The template of the previous event, if later events may match it, and their text so far.
    template: Option<DeltaTemplate<'a>>,
    pending: String,
}

impl<'a> MessageAssembler<'a> {
    /// Adds an event if it matches the previous one. Returns whether it did.
    fn add_matching(&mut self, data: &[u8], progress: &mut Progress) -> bool {
        let Some(text) = self.template.as_ref().and_then(|template| template.text_of(data)) else {
            return false;
        };
        self.pending.push_str(text);
        progress.chunks += 1;
        progress.has_token |= !text.is_empty();
        true
    }

    /// Adds the pending text of the events that matched.
    fn settle(&mut self) {
        if let Some(DeltaTemplate { block, key, .. }) = self.template.take() {
            self.blocks.append(block, key, &self.pending);
        }
        self.pending.clear();
    }

    fn add(&mut self, data: &'a [u8], event: AnthropicEvent<'a>, progress: &mut Progress) {
        self.settle();
        let error = event.error;
        let added = match event.kind {
            "ping" | "content_block_stop" => Some(()),
            "message_start" => self.start(&event, progress),
            "content_block_start" => self.open(&event, progress),
            "content_block_delta" => self.add_delta(data, &event, progress),
            "message_delta" | "message_stop" => {
                progress.is_done |= event.kind == "message_stop";
                self.update(event.fields);
                progress.has_token |=
                    self.message.get("stop_reason").and_then(Node::as_text) == Some("refusal");
                Some(())
            }
            // Some servers send the whole message as one event.
            "message" => {
                progress.is_done = true;
                self.begin(event.fields, progress);
                Some(())
            }
            _ => error.map(|_| ()),
        };
        if added.is_none() {
            progress.skipped += 1;
        }
        if let Some(error) = error {
            self.message.set("error", Node::Raw(error));
        }
    }

    /// A second message starts over: a gateway has tried again. A repeated start changes nothing.
    fn start(&mut self, event: &AnthropicEvent<'a>, progress: &mut Progress) -> Option<()> {
        let message = event.get("message").and_then(json::object)?;
        let id = json::field(&message, "id").map_or("null", |id| id.get());
        match self.started {
            Some(known) if known == id => return Some(()),
            Some(_) => {
                *self = Self::default();
                progress.is_done = false;
                progress.has_error = event.error.is_some();
            }
            None => {}
        }
        self.started = Some(id);
        self.begin(message, progress);
        Some(())
    }

    /// Adds the fields of a message. It may have blocks that no event opens.
    fn begin(&mut self, message: Entries<'a>, progress: &mut Progress) {
        let blocks = json::field(&message, "content").and_then(json::array).unwrap_or_default();
        for block in blocks {
            progress.has_token = true;
            if self.blocks.open(None, Node::Raw(block)).is_none() {
                progress.skipped += 1;
            }
        }
        self.message.extend(Fields::of(message));
    }

    fn open(&mut self, event: &AnthropicEvent<'a>, progress: &mut Progress) -> Option<()> {
        let block = event.get("content_block")?;
        let fields = json::object(block)?;
        let text = |name| json::field(&fields, name).and_then(json::text).unwrap_or_default();
        progress.has_token |= match text("type") {
            "text" => !text("text").is_empty(),
            "thinking" => !text("thinking").is_empty(),
            "redacted_thinking" => true,
            // Another model takes over.
            "fallback" => {
                let to = json::field(&fields, "to").and_then(json::object).unwrap_or_default();
                if let Some(model) = json::field(&to, "model") {
                    merge::replace(&mut self.message, "model".into(), model);
                }
                false
            }
            kind => kind.ends_with("tool_use"),
        };
        self.blocks.open(event.index(), Node::Raw(block)).map(|_| ())
    }

    /// Adds a delta to its block; `None` if it is unknown or malformed, or if there are too many
    /// blocks.
    fn add_delta(
        &mut self,
        data: &'a [u8],
        event: &AnthropicEvent<'a>,
        progress: &mut Progress,
    ) -> Option<()> {
        let delta = event.get("delta").and_then(json::object)?;
        let get = |name| json::field(&delta, name);
        let (piece, block, key) = match get("type").and_then(json::text)? {
            "text_delta" => ("text", "text", "text"),
            "thinking_delta" => ("thinking", "thinking", "thinking"),
            "input_json_delta" => ("partial_json", "tool_use", "input"),
            "citations_delta" => {
                let citation = get("citation")?;
                let place = self.blocks.place(event.index(), "text")?;
                merge::append_elements(self.blocks.fields(place)?, "citations".into(), citation.get());
                return Some(());
            }
            kind @ ("signature_delta" | "compaction_delta") => {
                let block = if kind == "signature_delta" { "thinking" } else { "compaction" };
                let place = self.blocks.place(event.index(), block)?;
                let fields = self.blocks.fields(place)?;
                for (key, raw) in delta.into_iter().filter(|(key, _)| key != "type") {
                    merge::replace(fields, key, raw);
                }
                return Some(());
            }
            _ => return None,
        };
        let text = get(piece).and_then(json::text)?;
        let place = self.blocks.place(event.index(), block)?;
        self.blocks.append(place, key, text)?;
        progress.has_token |= !text.is_empty();
        self.template = DeltaTemplate::of(data, text, place, key);
        Some(())
    }

    /// Replaces fields of the message. The counts of the usage are totals.
    fn update(&mut self, fields: Entries<'a>) {
        for (key, raw) in fields {
            match &*key {
                "type" | "error" => {}
                "delta" => {
                    for (key, raw) in json::object(raw).unwrap_or_default() {
                        merge::replace(&mut self.message, key, raw);
                    }
                }
                "usage" => merge::last(&mut self.message, key, raw),
                _ => merge::replace(&mut self.message, key, raw),
            }
        }
    }
}

impl<'a> StreamAssembler<'a> for MessageAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        self.add_matching(data, progress)
            || AnthropicEvent::read(name, data, progress)
                .map(|event| self.add(data, event, progress))
                .is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.message.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, progress: &mut Progress) -> String {
        self.settle();
        // A stop reason alone does not show that the stream was whole.
        progress.is_finished = progress.is_done;
        let is_list =
            matches!(self.message.get("content"), Some(Node::Raw(list)) if json::items(list).is_some());
        match self.blocks.finish() {
            Some(content) => self.message.set("content", content),
            // Consoles expect a list, except beside an error.
            None if is_list || self.message.contains("error") => {}
            None => self.message.set("content", Node::List(String::new())),
        }
        self.message.to_json()
    }
}
