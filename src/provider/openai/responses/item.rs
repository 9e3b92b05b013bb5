//! Converts items of inputs and outputs into parts of a chat.

use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Fields, Node};

/// An item, parsed one level deep.
pub(crate) struct Item<'a> {
    pub(crate) raw: &'a RawValue,
    fields: Entries<'a>,
}

impl<'a> Item<'a> {
    pub(crate) fn of(raw: &'a RawValue) -> Option<Self> {
        Some(Self { raw, fields: json::object(raw)? })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        json::field(&self.fields, name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(json::text)
    }

    /// The type. Messages may omit it.
    pub(crate) fn kind(&self) -> &'a str {
        self.text("type").unwrap_or("message")
    }

    /// Converts a call of any tool into a tool call of a chat. A hosted tool's call is stored under
    /// its type.
    pub(crate) fn tool_call(&self) -> Option<Node<'a>> {
        let mut call = Fields::default();
        let id = self.get("call_id").or_else(|| self.get("id"));
        call.set("id", id.map_or(Node::NULL, Node::Raw));
        let (kind, inside) = match self.kind() {
            "function_call" => ("function", self.pick(&[("name", "name"), ("arguments", "arguments")])),
            "custom_tool_call" => ("custom", self.pick(&[("name", "name"), ("input", "input")])),
            hosted if hosted.ends_with("_call") => (hosted, Node::Raw(self.raw)),
            _ => return None,
        };
        call.set("type", Node::Text(kind.to_owned()));
        call.set(kind, inside);
        self.keep("caller", &mut call);
        Some(Node::Object(call))
    }

    /// Copies a field that chats do not have, if the item has it.
    pub(crate) fn keep(&self, name: &'static str, fields: &mut Fields<'a>) {
        if let Some(raw) = self.get(name).filter(|raw| !json::is_null(raw)) {
            fields.set(name, Node::Raw(raw));
        }
    }

    /// Copies fields under other names; null for missing ones.
    fn pick(&self, names: &[(&'static str, &'static str)]) -> Node<'a> {
        let mut fields = Fields::default();
        for (from, to) in names {
            fields.set(*to, self.get(from).map_or(Node::NULL, Node::Raw));
        }
        Node::Object(fields)
    }
}

/// Converts content for a chat: a text stays as it is, parts become a list with the chat's type
/// names.
///
/// If there is no room for the parts, the content stays as it is.
pub(crate) fn content<'a>(raw: &'a RawValue, room: &mut usize) -> Node<'a> {
    if raw.get().starts_with('{') {
        return Node::Array([part(raw)].into_iter().collect());
    }
    let Some(parts) = json::array(raw) else { return Node::Raw(raw) };
    match room.checked_sub(parts.len()) {
        Some(left) => {
            *room = left;
            Node::Array(parts.into_iter().map(part).collect())
        }
        None => Node::Raw(raw),
    }
}

fn part(raw: &RawValue) -> Node<'_> {
    let Some(item) = Item::of(raw) else { return Node::Raw(raw) };
    let mut part = Fields::default();
    match item.kind() {
        "input_text" | "output_text" | "summary_text" | "reasoning_text" => {
            part.set("type", Node::string("text"));
            part.set("text", item.get("text").map_or(Node::NULL, Node::Raw));
        }
        "input_image" | "computer_screenshot" => {
            let mut image = Fields::default();
            for (from, to) in [("image_url", "url"), ("file_id", "file_id"), ("detail", "detail")] {
                if let Some(raw) = item.get(from) {
                    image.set(to, Node::Raw(raw));
                }
            }
            part.set("type", Node::string("image_url"));
            part.set("image_url", Node::Object(image));
        }
        _ => return Node::Raw(raw),
    }
    Node::Object(part)
}
