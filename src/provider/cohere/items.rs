use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::indexed::Indexed;
use crate::provider::merge;

/// Objects of a response that arrive in pieces, each under an index: parts of content, tool calls or
/// citations.
#[derive(Debug, Default)]
pub(crate) struct CohereItems<'a>(Indexed<Fields<'a>, 16_384>);

impl<'a> CohereItems<'a> {
    /// Adds a piece to the item with this index. A piece that begins an item never continues an
    /// earlier one. Returns the item, or `None` if there are too many.
    pub(crate) fn add(&mut self, index: u64, begins: bool, piece: Entries<'a>) -> Option<&Fields<'a>> {
        let place = match self.0.place(index).filter(|_| !begins) {
            Some(place) => place,
            None => self.0.open(index, Fields::default())?,
        };
        let item = self.0.at(place)?;
        for (key, raw) in piece {
            match &*key {
                // The place in the list carries the same information.
                "index" => {}
                "text" | "thinking" | "parameters" => merge::append(item, key, raw),
                "id" | "type" => merge::first(item, key, raw),
                "name" => merge::name(item, key, raw),
                "function" => add_function(item, raw),
                _ => merge::last(item, key, raw),
            }
        }
        Some(item)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items as a list, in the order of their indices.
    pub(crate) fn finish(self) -> Node<'a> {
        Node::Array(self.0.sorted().map(Node::Object).collect())
    }
}

/// Adds a piece of a called function: the name is set once, the arguments grow.
fn add_function<'a>(call: &mut Fields<'a>, raw: &'a RawValue) {
    let Some(entries) = json::object(raw) else { return };
    let Some(function) = merge::object(call, "function".into()) else { return };
    for (key, raw) in entries {
        match &*key {
            "name" => merge::name(function, key, raw),
            "arguments" => merge::append(function, key, raw),
            _ => merge::last(function, key, raw),
        }
    }
}
