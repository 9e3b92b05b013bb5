use std::borrow::Cow;
use std::mem;

use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::indexed::Indexed;
use crate::provider::merge;

/// The content blocks of a streamed message, by their indices.
#[derive(Debug, Default)]
pub(super) struct ConverseBlocks<'a>(Indexed<ConverseBlock<'a>, 4_096>);

#[derive(Debug, Default)]
pub(super) struct ConverseBlock<'a> {
    fields: Fields<'a>,
    /// The elements of the list of citations, as text.
    citations: String,
}

impl<'a> ConverseBlocks<'a> {
    /// The block of an event, by default the last one. `None` if there are too many.
    pub(super) fn of(&mut self, event: &[(Cow<'a, str>, &'a RawValue)]) -> Option<&mut ConverseBlock<'a>> {
        let index = json::field(event, "contentBlockIndex").and_then(|index| index.get().parse().ok());
        let index = index.or_else(|| self.0.last().map(|(index, _)| index));
        self.0.part(index.unwrap_or_default())
    }

    /// The blocks in the order of their indices.
    pub(super) fn finish(self) -> Node<'a> {
        Node::Array(self.0.sorted().map(ConverseBlock::finish).collect())
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
                    each(merge::object(&mut self.fields, key), call, |call, key, raw| match &*key {
                        "input" => merge::append(call, key, raw),
                        _ => merge::last(call, key, raw),
                    });
                }
                ("reasoningContent", Some(reasoning)) => {
                    is_token |= reasoning.iter().any(|(_, raw)| !json::is_blank(raw));
                    each(
                        merge::object(&mut self.fields, key),
                        reasoning,
                        |reasoning, key, raw| match &*key {
                            "text" | "signature" => {
                                let Some(text) = merge::object(reasoning, "reasoningText".into()) else {
                                    return;
                                };
                                if key == "text" {
                                    merge::append(text, key, raw);
                                } else {
                                    merge::last_present(text, key, raw);
                                }
                            }
                            _ => merge::replace(reasoning, key, raw),
                        },
                    );
                }
                ("image", Some(image)) => {
                    is_token = true;
                    each(merge::object(&mut self.fields, key), image, |image, key, raw| {
                        match (&*key, json::object(raw)) {
                            ("source", Some(source)) => {
                                each(merge::object(image, key), source, |source, key, raw| match &*key {
                                    "bytes" => merge::append(source, key, raw),
                                    _ => merge::last(source, key, raw),
                                });
                            }
                            _ => merge::last(image, key, raw),
                        }
                    });
                }
                ("toolResult", None) => {
                    if let Some(result) = merge::object(&mut self.fields, key) {
                        merge::concat(result, "content".into(), raw);
                    }
                }
                ("citation", Some(_)) => {
                    merge::push_elements(&mut self.citations, raw.get());
                }
                _ => merge::last(&mut self.fields, key, raw),
            }
        }
        is_token
    }

    /// The block of the unstreamed response. A text with citations is a block of its own kind.
    fn finish(mut self) -> Node<'a> {
        if self.fields.contains("toolUse")
            && let Some(call) = merge::object(&mut self.fields, "toolUse".into())
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

/// Adds these entries, unless the field that they belong to is not an object.
fn each<'a>(
    known: Option<&mut Fields<'a>>,
    entries: Entries<'a>,
    add: impl Fn(&mut Fields<'a>, Cow<'a, str>, &'a RawValue),
) {
    if let Some(known) = known {
        entries.into_iter().for_each(|(key, raw)| add(known, key, raw));
    }
}
