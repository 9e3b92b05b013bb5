use std::collections::HashMap;
use std::mem;

use foldhash::fast::RandomState;

use crate::codec::allowance::Held;
use crate::codec::json::{Fields, Node, Nodes};
use crate::provider::merge;

/// The content blocks of a streamed message, in the order in which they were opened.
#[derive(Debug, Default)]
pub(super) struct MessageBlocks<'a> {
    list: Vec<MessageBlock<'a>>,
    /// The latest block of each index.
    places: HashMap<u64, usize, RandomState>,
    held: Held,
}

#[derive(Debug)]
struct MessageBlock<'a> {
    index: u64,
    node: Node<'a>,
}

/// The number of nodes charged for a block.
const BLOCK: usize = 4;

impl<'a> MessageBlocks<'a> {
    /// Adds a block, by default after the last one. Returns its place; `None` if there are too
    /// many.
    pub(super) fn open(&mut self, index: Option<u64>, node: Node<'a>) -> Option<usize> {
        if !self.held.try_grow(BLOCK) {
            return None;
        }
        let next = || self.list.last().map_or(0, |block| block.index.saturating_add(1));
        let (index, at) = (index.unwrap_or_else(next), self.list.len());
        self.list.push(MessageBlock { index, node });
        // From now on, the index refers to this block.
        self.places.insert(index, at);
        Some(at)
    }

    /// Finds the block of a delta, by default the last one. If the stream did not open the block,
    /// opens one of this type; `None` if there are too many.
    pub(super) fn place(&mut self, index: Option<u64>, kind: &'static str) -> Option<usize> {
        let known = match index {
            Some(index) => self.places.get(&index).copied(),
            None => self.list.len().checked_sub(1),
        };
        known.or_else(|| {
            let mut fields = Fields::default();
            fields.set("type", Node::Text(kind.to_owned()));
            self.open(index, Node::Object(fields))
        })
    }

    /// The fields of a block; `None` if it is not an object.
    pub(super) fn fields(&mut self, place: usize) -> Option<&mut Fields<'a>> {
        self.list.get_mut(place).and_then(|block| merge::as_object(&mut block.node))
    }

    /// Appends a text to a field. The text has the escapes of JSON.
    pub(super) fn append(&mut self, place: usize, key: &'static str, text: &str) -> Option<()> {
        let fields = self.fields(place)?;
        // The input of a call is an empty object until its text begins.
        if !text.is_empty() {
            merge::append_piece(fields, key.into(), text);
        }
        Some(())
    }

    /// The list in the order of the indices; `None` if it is empty.
    pub(super) fn finish(mut self) -> Option<Node<'a>> {
        self.held = Held::default();
        self.list.sort_by_key(|block| block.index);
        let nodes: Nodes<'_> = self.list.into_iter().map(|block| with_input(block.node)).collect();
        (!nodes.is_empty()).then_some(Node::Array(nodes))
    }
}

/// Reads the streamed input of a call as JSON.
fn with_input(mut block: Node<'_>) -> Node<'_> {
    if let Node::Object(fields) = &mut block
        && matches!(fields.get("input"), Some(Node::Text(_)))
        && let slot = fields.entry("input".into(), || Node::NULL)
        && let Node::Text(text) = slot
    {
        *slot = merge::parsed(mem::take(text));
    }
    block
}
