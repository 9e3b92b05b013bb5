use std::collections::BTreeMap;
use std::mem;

use serde_json::value::RawValue;

use super::address::Address;
use super::lengthen;
use super::part::{Content, Part};
use crate::codec::json::{self, Fields, Node};

/// An item of a streamed output so far.
#[derive(Debug, Default)]
pub(crate) struct StreamedItem<'a> {
    pub(crate) kind: &'a str,
    pub(crate) address: Address<'a>,
    /// The item from its `added` event.
    pub(crate) added: Option<&'a RawValue>,
    /// The item from its `done` event.
    pub(crate) done: Option<&'a RawValue>,
    parts: BTreeMap<(Part, u64), Content<'a>>,
    /// Text fields, with JSON escapes.
    texts: BTreeMap<&'static str, String>,
    /// The name of a function.
    pub(crate) name: Option<&'a RawValue>,
    /// The latest preview of an image.
    pub(crate) partial_image: Option<&'a RawValue>,
}

impl<'a> StreamedItem<'a> {
    pub(crate) fn new(kind: &'a str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// A text field that grows.
    pub(crate) fn text(&mut self, key: &'static str) -> &mut String {
        self.texts.entry(key).or_default()
    }

    /// Finds the part of a piece: by its index, else the last one of this kind; `None` if there is
    /// no room for a new part.
    pub(crate) fn part(
        &mut self,
        part: Part,
        index: Option<u64>,
        room: &mut usize,
    ) -> Option<&mut Content<'a>> {
        let index = index.unwrap_or_else(|| match self.last(part) {
            Some((last, content)) if !content.is_finished => last,
            Some((last, _)) => last.saturating_add(1),
            None => 0,
        });
        self.open(part, index, room)
    }

    /// Finds the part of a whole text.
    ///
    /// Some servers advance the index while a part is streamed. An unknown index therefore means
    /// the last part of this kind, if that part has the beginning of the text.
    pub(crate) fn whole_part(
        &mut self,
        part: Part,
        index: Option<u64>,
        text: &str,
        room: &mut usize,
    ) -> Option<&mut Content<'a>> {
        let index = self.index_of_whole(part, index, text);
        self.open(part, index, room)
    }

    fn index_of_whole(&self, part: Part, index: Option<u64>, text: &str) -> u64 {
        if let Some(index) = index
            && self.parts.contains_key(&(part, index))
        {
            return index;
        }
        match self.last(part) {
            Some((last, content))
                if content.done.is_none()
                    && text.starts_with(&content.text)
                    && (index.is_none() || !content.is_finished || text == content.text) =>
            {
                last
            }
            last => index.unwrap_or_else(|| last.map_or(0, |(last, _)| last.saturating_add(1))),
        }
    }

    /// Begins a part that a `part.added` event announces. Without an index, it follows the last one.
    pub(crate) fn part_added(
        &mut self,
        part: Part,
        index: Option<u64>,
        text: &str,
        room: &mut usize,
    ) -> Option<()> {
        let last = self.last(part).map(|(last, _)| last);
        if let (None, Some(last)) = (index, last)
            && let Some(content) = self.parts.get_mut(&(part, last))
        {
            content.is_finished = true;
        }
        if !text.is_empty() {
            let content = self.part(part, index, room)?;
            if content.text.is_empty() {
                text.clone_into(&mut content.text);
            }
        }
        Some(())
    }

    /// Completes a part: the given part replaces all pieces with its index.
    pub(crate) fn complete_part(
        &mut self,
        part: Part,
        index: Option<u64>,
        text: &str,
        done: &'a RawValue,
        room: &mut usize,
    ) -> Option<()> {
        let index = self.index_of_whole(part, index, text);
        if part != Part::Summary {
            for other in Part::CONTENT.into_iter().filter(|other| *other != part) {
                if self.parts.remove(&(other, index)).is_some() {
                    *room = room.saturating_add(1);
                }
            }
        }
        let content = self.open(part, index, room)?;
        content.is_finished = true;
        content.done = Some(done);
        Some(())
    }

    fn last(&self, part: Part) -> Option<(u64, &Content<'a>)> {
        let mut parts = self.parts.range((part, 0)..=(part, u64::MAX));
        parts.next_back().map(|((_, index), content)| (*index, content))
    }

    fn open(&mut self, part: Part, index: u64, room: &mut usize) -> Option<&mut Content<'a>> {
        use std::collections::btree_map::Entry;
        match self.parts.entry((part, index)) {
            Entry::Occupied(content) => Some(content.into_mut()),
            Entry::Vacant(place) => {
                *room = room.checked_sub(1)?;
                Some(place.insert(Content::default()))
            }
        }
    }

    /// Appends the item so far to the inside of a list.
    pub(crate) fn write(mut self, output: &mut String) {
        if let Some(done) = self.done {
            lengthen(output, done.get());
            return;
        }
        let mut item = Fields::of(self.added.and_then(json::object).unwrap_or_default());
        if !item.contains("type") {
            item.set("type", Node::Text(self.kind.to_owned()));
            if self.kind == "message" {
                item.set("role", Node::string("assistant"));
            }
            if let Some(id) = self.address.id {
                item.entry("id".into(), || Node::Literal(id.into()));
            }
        }
        for (list, (parts, is_blank)) in self.lists() {
            if is_blank && has_elements(item.get(list)) {
                continue;
            }
            match list {
                "commands" => set_within(&mut item, "action", list, Node::Array(parts.into_iter().collect())),
                "output" => item.set(list, Node::List(flattened(&parts))),
                _ => item.set(list, Node::Array(parts.into_iter().collect())),
            }
        }
        for (key, text) in self.texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            match key {
                "diff" => set_within(&mut item, "operation", key, Node::Text(text)),
                _ => item.set(key, Node::Text(text)),
            }
        }
        if let Some(name) = self.name {
            item.entry("name".into(), || Node::Raw(name));
        }
        if let Some(image) = self.partial_image {
            item.set("result", Node::Raw(image));
        }
        lengthen(output, &item.to_json());
    }

    /// The parts as lists in index order, and whether each list is empty.
    fn lists(&mut self) -> BTreeMap<&'static str, (Vec<Node<'a>>, bool)> {
        // Entries with the same index and type form one part: audio and its transcript, the two
        // outputs of a command.
        let mut nodes = BTreeMap::new();
        let mut lists = BTreeMap::<_, (Vec<_>, bool)>::new();
        for ((part, index), content) in mem::take(&mut self.parts) {
            lists.entry(part.list()).or_insert((Vec::new(), true)).1 &= content.is_blank();
            let node =
                nodes.entry((part.list(), index, part.kind())).or_insert_with(|| Node::Object(part.empty()));
            content.write(part, node);
        }
        for ((list, ..), node) in nodes {
            if let Some((parts, _)) = lists.get_mut(list) {
                parts.push(node);
            }
        }
        lists
    }
}

fn has_elements(list: Option<&Node<'_>>) -> bool {
    matches!(list, Some(Node::Raw(list)) if json::items(list).is_some_and(|items| !items.is_empty()))
}

/// Sets a field of a nested object.
fn set_within<'a>(item: &mut Fields<'a>, outer: &'static str, key: &'static str, value: Node<'a>) {
    let fields = match item.get(outer) {
        Some(Node::Raw(raw)) => json::object(raw).unwrap_or_default(),
        _ => json::Entries::default(),
    };
    let mut fields = Fields::of(fields);
    fields.set(key, value);
    item.set(outer, Node::Object(fields));
}

/// The inside of a list of these parts, as text. A part that is a list contributes its elements.
fn flattened(parts: &[Node<'_>]) -> String {
    let mut list = String::new();
    for part in parts {
        match part {
            Node::Raw(raw) => lengthen(&mut list, json::items(raw).unwrap_or(raw.get())),
            Node::Object(fields) => lengthen(&mut list, &fields.to_json()),
            _ => {}
        }
    }
    list
}
