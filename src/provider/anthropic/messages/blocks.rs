use std::mem;

use crate::codec::json::{Fields, Node, Nodes};
use crate::provider::indexed::Indexed;
use crate::provider::merge;

/// The content blocks of a streamed message. Only the allowance limits their number.
#[derive(Debug, Default)]
pub(super) struct MessageBlocks<'a>(Indexed<Node<'a>, { usize::MAX }>);

impl<'a> MessageBlocks<'a> {
    /// Adds a block, by default after the last one. Returns its place; `None` if there are too
    /// many.
    pub(super) fn open(&mut self, index: Option<u64>, node: Node<'a>) -> Option<usize> {
        let next = || self.0.last().map_or(0, |(index, _)| index.saturating_add(1));
        let index = index.unwrap_or_else(next);
        self.0.open(index, node)
    }

    /// Finds the block of a delta, by default the last one. If the stream did not open the block,
    /// opens one of this type; `None` if there are too many.
    pub(super) fn place(&mut self, index: Option<u64>, kind: &'static str) -> Option<usize> {
        let known = match index {
            Some(index) => self.0.place(index),
            None => self.0.last().map(|(_, place)| place),
        };
        known.or_else(|| {
            let mut fields = Fields::default();
            fields.set("type", Node::Text(kind.to_owned()));
            self.open(index, Node::Object(fields))
        })
    }

    /// The fields of a block; `None` if it is not an object.
    pub(super) fn fields(&mut self, place: usize) -> Option<&mut Fields<'a>> {
        self.0.at(place).and_then(merge::as_object)
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
    pub(super) fn finish(self) -> Option<Node<'a>> {
        let nodes: Nodes<'_> = self.0.sorted().map(with_input).collect();
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
