//! The parts of a candidate's content.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::arguments::{self, Room};
use crate::codec::json::{self, Entries, Fields, Node, Nodes};
use crate::provider::merge;
use crate::provider::stream::Progress;

#[derive(Debug, Default)]
pub(super) struct ContentParts<'a> {
    parts: Nodes<'a>,
    /// Whether the last part is a thought, if it is a text that the next part may continue.
    open_text: Option<bool>,
    /// The place of the call whose arguments are incomplete.
    open_call: Option<usize>,
}

/// The fields of a part that decide how it is added.
#[derive(Default)]
struct Traits<'a> {
    text: Option<&'a str>,
    is_thought: bool,
    signature: Option<(Cow<'a, str>, &'a RawValue)>,
    call: Option<(Cow<'a, str>, &'a RawValue)>,
    /// The part has further fields, or a field twice.
    has_others: bool,
}

impl<'a> Traits<'a> {
    fn of(part: &[(Cow<'a, str>, &'a RawValue)]) -> Self {
        let mut traits = Self::default();
        for (key, raw) in part {
            let is_again = match &**key {
                "text" => traits.text.replace(json::text(raw).unwrap_or_default()).is_some(),
                "thought" => std::mem::replace(&mut traits.is_thought, raw.get() == "true"),
                "thoughtSignature" | "thought_signature" => {
                    traits.signature.replace((key.clone(), raw)).is_some()
                }
                "functionCall" | "function_call" => traits.call.replace((key.clone(), raw)).is_some(),
                _ => true,
            };
            traits.has_others |= is_again;
        }
        traits
    }

    /// Whether the part is a text and nothing else but its signature.
    fn is_text(&self) -> bool {
        self.text.is_some() && self.call.is_none() && !self.has_others
    }

    /// Whether the part is output of the model, rather than only a signature.
    fn has_token(&self) -> bool {
        self.text.is_some_and(|text| !text.is_empty()) || self.call.is_some() || self.has_others
    }
}

impl<'a> ContentParts<'a> {
    /// Adds the parts of a chunk. Returns the text if it is the only part and later chunks may
    /// continue it.
    pub(super) fn add(
        &mut self,
        raw: &'a RawValue,
        room: &mut Room,
        progress: &mut Progress,
    ) -> Option<&'a str> {
        let Some(parts) = json::array(raw) else {
            progress.skipped += u64::from(!json::is_null(raw));
            return None;
        };
        let (is_one, mut last_text) = (parts.len() == 1, None);
        for part in parts {
            let Some(fields) = json::object(part) else {
                self.push(Node::Raw(part));
                continue;
            };
            let traits = Traits::of(&fields);
            progress.has_token |= traits.has_token();
            if traits.is_text() {
                last_text = traits.text;
                self.add_text(part, traits);
            } else if let Some((key, call)) = traits.call
                && let Some(call) = json::object(call)
            {
                self.add_call(part, fields, key, call, room, progress);
            } else {
                self.push(Node::Raw(part));
            }
        }
        last_text.filter(|_| is_one && self.open_text.is_some())
    }

    /// Continues the last text.
    pub(super) fn append(&mut self, text: &str) {
        if let Some(known) = self.parts.last_mut().and_then(merge::as_object) {
            merge::append_piece(known, Cow::Borrowed("text"), text);
        }
    }

    /// Adds a part that no other one continues. Returns its place, unless there is no room for it.
    fn push(&mut self, part: Node<'a>) -> Option<usize> {
        let place = self.parts.len();
        self.parts.push(part);
        self.open_text = None;
        (self.parts.len() > place).then_some(place)
    }

    /// Joins a text to the previous one. A signature closes the text that it belongs to.
    fn add_text(&mut self, part: &'a RawValue, traits: Traits<'a>) {
        let Traits { text, is_thought, signature, .. } = traits;
        let signature = signature.filter(|(_, raw)| !json::is_blank(raw));
        let is_closed = signature.is_some();
        if self.open_text == Some(is_thought) {
            self.append(text.unwrap_or_default());
            if let Some((key, signature)) = signature
                && let Some(known) = self.parts.last_mut().and_then(merge::as_object)
            {
                known.set(key, Node::Raw(signature));
                self.open_text = None;
            }
        } else if self.push(Node::Raw(part)).is_some() {
            self.open_text = (!is_closed).then_some(is_thought);
        }
    }

    /// Adds a call. Vertex can stream its arguments: the first part has the name, the following ones
    /// pieces, and the last one none or an empty call.
    fn add_call(
        &mut self,
        part: &'a RawValue,
        fields: Entries<'a>,
        key: Cow<'a, str>,
        call: Entries<'a>,
        room: &mut Room,
        progress: &mut Progress,
    ) {
        let known = self.open_call.filter(|_| {
            let name = json::field(&call, "name").filter(|name| !json::is_blank(name));
            name.is_none()
        });
        let goes_on = call.iter().any(|(key, raw)| is_continued(key) && raw.get() == "true");
        if known.is_none() && !goes_on && !call.iter().any(|(key, _)| is_pieces(key)) {
            self.open_call = None;
            self.push(Node::Raw(part));
            return;
        }
        let place = known.or_else(|| self.push(Node::Object(Fields::default())));
        self.open_call = place.filter(|_| goes_on);
        let Some(part) = place.and_then(|place| self.parts.get_mut(place)).and_then(merge::as_object) else {
            return;
        };
        for (key, raw) in fields {
            if !matches!(&*key, "functionCall" | "function_call") {
                merge::last_present(part, key, raw);
            }
        }
        let Some(known) = merge::object(part, key) else { return };
        for (key, raw) in call {
            match &*key {
                key if is_continued(key) => {}
                key if is_pieces(key) => {
                    let arguments = known.entry(Cow::Borrowed("args"), || Node::Object(Fields::default()));
                    progress.skipped += arguments::add(arguments, raw, room);
                }
                _ => merge::last(known, key, raw),
            }
        }
    }

    pub(super) fn finish(self) -> Node<'a> {
        Node::Array(self.parts)
    }
}

fn is_continued(key: &str) -> bool {
    matches!(key, "willContinue" | "will_continue")
}

fn is_pieces(key: &str) -> bool {
    matches!(key, "partialArgs" | "partial_args")
}
