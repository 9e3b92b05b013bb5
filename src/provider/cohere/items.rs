use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::codec::allowance::Held;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::merge;

/// Objects of a response that arrive in pieces, each under an index.
#[derive(Debug, Default)]
pub(crate) struct IndexedItems<'a> {
    /// The items, each with its index.
    items: Vec<(u64, Fields<'a>)>,
    /// The latest item of each index.
    places: IndexMap<u64, usize, RandomState>,
    held: Held,
}

/// The maximum number of items. Real responses have far fewer; an attacker could send millions.
/// Further items are skipped.
const MOST_ITEMS: usize = 16_384;

/// The number of nodes charged for an item, with its place.
const ITEM: usize = 4;

impl<'a> IndexedItems<'a> {
    /// Adds a piece to the item with this index. A piece that begins an item never continues an
    /// earlier one. Returns the item, or `None` if there are too many.
    pub(crate) fn add(&mut self, index: u64, begins: bool, piece: Entries<'a>) -> Option<&Fields<'a>> {
        let known = self.places.get(&index).copied().filter(|_| !begins);
        if known.is_none() && (self.items.len() >= MOST_ITEMS || !self.held.try_grow(ITEM)) {
            return None;
        }
        let place = known.unwrap_or_else(|| {
            self.items.push((index, Fields::default()));
            self.places.insert(index, self.items.len() - 1);
            self.items.len() - 1
        });
        let (_, item) = self.items.get_mut(place)?;
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
        self.items.is_empty()
    }

    /// The items as a list, in the order of their indices.
    pub(crate) fn finish(mut self) -> Node<'a> {
        self.items.sort_by_key(|(index, _)| *index);
        Node::Array(self.items.into_iter().map(|(_, item)| Node::Object(item)).collect())
    }
}

/// Adds a piece of a called function: the name is set once, the arguments grow.
fn add_function<'a>(call: &mut Fields<'a>, raw: &'a RawValue) {
    let slot = call.entry("function".into(), || Node::Object(Fields::default()));
    let (Node::Object(function), Some(entries)) = (slot, json::object(raw)) else { return };
    for (key, raw) in entries {
        match &*key {
            "name" => merge::name(function, key, raw),
            "arguments" => merge::append(function, key, raw),
            _ => merge::last(function, key, raw),
        }
    }
}
