use std::borrow::Cow;
use std::mem;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::codec::allowance::Held;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;

/// The content blocks of a streamed message, by their indices.
#[derive(Debug, Default)]
pub(super) struct ConverseBlocks<'a> {
    blocks: IndexMap<u64, ConverseBlock<'a>, RandomState>,
    held: Held,
}

#[derive(Debug, Default)]
pub(super) struct ConverseBlock<'a> {
    fields: Fields<'a>,
    /// The elements of the list of citations, as text.
    citations: String,
}

/// The maximum number of blocks. No message has more; an attacker could send millions. Further
/// blocks are skipped.
const MOST_BLOCKS: usize = 4_096;

/// The number of nodes charged for a block.
const BLOCK: usize = 4;

impl<'a> ConverseBlocks<'a> {
    /// The block of an event, by default the last one. `None` if there are too many.
    pub(super) fn of(&mut self, event: &[(Cow<'a, str>, &'a RawValue)]) -> Option<&mut ConverseBlock<'a>> {
        let index = json::field(event, "contentBlockIndex").and_then(|index| index.get().parse().ok());
        let index = index.or_else(|| self.blocks.last().map(|(index, _)| *index)).unwrap_or_default();
        let has_room =
            self.blocks.contains_key(&index) || self.blocks.len() < MOST_BLOCKS && self.held.try_grow(BLOCK);
        has_room.then(|| self.blocks.entry(index).or_default())
    }

    /// The blocks in the order of their indices.
    pub(super) fn finish(mut self) -> Node<'a> {
        self.blocks.sort_unstable_keys();
        Node::Array(self.blocks.into_values().map(ConverseBlock::finish).collect())
    }
}

impl<'a> ConverseBlock<'a> {
    /// Adds the first fields of a block. Returns whether it is a call.
    pub(super) fn start(&mut self, start: Entries<'a>) -> bool {
        let mut is_call = false;
        for (key, raw) in start {
            is_call |= key == "toolUse";
            merge::last(&mut self.fields, key, raw);
        }
        is_call
    }

    /// Adds a piece. Returns whether it is output of the model.
    pub(super) fn add(&mut self, delta: Entries<'a>) -> bool {
        let mut is_token = false;
        for (key, raw) in delta {
            match (&*key, json::object(raw)) {
                ("text", _) => {
                    is_token |= !json::is_blank(raw);
                    merge::append(&mut self.fields, key, raw);
                }
                ("toolUse", Some(call)) => {
                    is_token = true;
                    each(nested(&mut self.fields, key), call, |call, key, raw| match &*key {
                        "input" => merge::append(call, key, raw),
                        _ => merge::last(call, key, raw),
                    });
                }
                ("reasoningContent", Some(reasoning)) => {
                    is_token |= reasoning.iter().any(|(_, raw)| !json::is_blank(raw));
                    each(nested(&mut self.fields, key), reasoning, |reasoning, key, raw| match &*key {
                        "text" | "signature" => {
                            let Some(text) = nested(reasoning, "reasoningText".into()) else { return };
                            if key == "text" {
                                merge::append(text, key, raw);
                            } else {
                                merge::last_said(text, key, raw);
                            }
                        }
                        _ => merge::replace(reasoning, key, raw),
                    });
                }
                ("toolResult", None) => {
                    if let Some(result) = nested(&mut self.fields, key) {
                        merge::concat(result, "content".into(), raw);
                    }
                }
                ("citation", Some(_)) => {
                    if !self.citations.is_empty() {
                        self.citations.push(',');
                    }
                    self.citations.push_str(raw.get());
                }
                _ => {
                    is_token |= key == "image";
                    merge::last(&mut self.fields, key, raw);
                }
            }
        }
        is_token
    }

    /// The block of the unstreamed response. A text with citations is a block of its own kind.
    fn finish(mut self) -> Node<'a> {
        if self.fields.contains("toolUse")
            && let Some(call) = nested(&mut self.fields, "toolUse".into())
        {
            let slot = call.entry("input".into(), || Node::Text(String::new()));
            if let Node::Text(text) = slot {
                *slot =
                    if text.is_empty() { Node::Literal("{}".into()) } else { merge::parsed(mem::take(text)) };
            }
        }
        if self.citations.is_empty() {
            return Node::Object(self.fields);
        }
        let mut cited = Fields::default();
        if self.fields.contains("text") {
            cited.set("content", Node::Array([Node::Object(self.fields)].into_iter().collect()));
        }
        cited.set("citations", Node::List(self.citations));
        let mut block = Fields::default();
        block.set("citationsContent", Node::Object(cited));
        Node::Object(block)
    }
}

/// The object in a field, created if it is missing. `None` if the field is not an object.
fn nested<'s, 'a>(fields: &'s mut Fields<'a>, key: Cow<'a, str>) -> Option<&'s mut Fields<'a>> {
    merge::as_object(fields.entry(key, || Node::Object(Fields::default())))
}

fn each<'a>(
    known: Option<&mut Fields<'a>>,
    entries: Entries<'a>,
    add: impl Fn(&mut Fields<'a>, Cow<'a, str>, &'a RawValue),
) {
    if let Some(known) = known {
        entries.into_iter().for_each(|(key, raw)| add(known, key, raw));
    }
}
