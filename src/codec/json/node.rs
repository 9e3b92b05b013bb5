//! JSON under construction.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::parts::Entries;
use super::raw::{is_null, text};
use crate::codec::allowance::Held;

/// The number of nodes charged for a field or element under construction: it takes more than 100
/// bytes, and lists grow by doubling.
const FIELD: usize = 3;
const NODE: usize = 2;

/// JSON under construction.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Raw(&'a RawValue),
    /// JSON text generated here, or validated before.
    Literal(Cow<'a, str>),
    /// The inside of a string, with its escapes.
    Text(String),
    /// The same for a text that was repeated. It is written once.
    Repeated {
        piece: &'a str,
        times: usize,
    },
    Array(Nodes<'a>),
    /// The inside of an array, as text.
    List(String),
    /// An array whose elements still grow.
    Elements(Box<Elements<'a>>),
    Object(Fields<'a>),
}

/// The fields of an object under construction, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    fields: IndexMap<Cow<'a, str>, Node<'a>, RandomState>,
    held: Held,
}

/// The elements of an array under construction. Elements beyond the allowance are left out.
#[derive(Debug, Default)]
pub(crate) struct Nodes<'a> {
    nodes: Vec<Node<'a>>,
    held: Held,
}

/// A list whose elements can receive more pieces.
#[derive(Debug, Default)]
pub(crate) struct Elements<'a> {
    /// Elements that accept further pieces. Each run of other elements is one text.
    pub(crate) items: Vec<Node<'a>>,
    /// The latest element of each index.
    pub(crate) places: IndexMap<u64, Place<'a>, RandomState>,
}

/// The position of the latest element of an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) item: usize,
    /// The type of the element, if it has one.
    pub(crate) kind: &'a str,
}

impl Node<'_> {
    pub(crate) const NULL: Self = Self::Literal(Cow::Borrowed("null"));

    pub(crate) fn number(number: u64) -> Self {
        Self::Literal(number.to_string().into())
    }

    pub(crate) fn string(text: &str) -> Self {
        let mut literal = String::new();
        write_text(text, &mut literal);
        Self::Literal(literal.into())
    }

    /// The inside of a string, with its escapes; `None` for any other value.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Raw(raw) => text(raw),
            Self::Text(text) => Some(text),
            Self::Repeated { piece, .. } => Some(piece),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        match self {
            Self::Raw(raw) => is_null(raw),
            Self::Literal(text) => text == "null",
            _ => false,
        }
    }

    /// The length of the text, or slightly more.
    fn len(&self) -> usize {
        let list = |items: &[Node<'_>]| 2 + items.iter().map(|item| item.len() + 1).sum::<usize>();
        match self {
            Self::Raw(raw) => raw.get().len(),
            Self::Literal(text) => text.len(),
            Self::Text(_) | Self::Repeated { .. } => 2 + self.as_text().map_or(0, str::len),
            Self::Array(items) => list(&items.nodes),
            Self::Elements(elements) => list(&elements.items),
            Self::List(items) => 2 + items.len(),
            Self::Object(fields) => fields.len(),
        }
    }

    /// Appends the JSON text of this value.
    fn write(&self, out: &mut String) {
        match self {
            Self::Raw(raw) => out.push_str(raw.get()),
            Self::Literal(text) => out.push_str(text),
            Self::Text(_) | Self::Repeated { .. } => {
                out.push('"');
                out.push_str(self.as_text().unwrap_or_default());
                out.push('"');
            }
            Self::Array(items) => write_items(&items.nodes, out),
            Self::Elements(elements) => write_items(&elements.items, out),
            Self::List(items) => {
                out.push('[');
                out.push_str(items);
                out.push(']');
            }
            Self::Object(fields) => fields.write(out),
        }
    }
}

impl<'a> Fields<'a> {
    /// The fields of an object, unchanged.
    pub(crate) fn of(entries: Entries<'a>) -> Self {
        let mut fields = Self::default();
        fields.fields.reserve(entries.len());
        entries.into_iter().for_each(|(key, raw)| fields.set(key, Node::Raw(raw)));
        fields
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.fields.get(key)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    pub(crate) fn set(&mut self, key: impl Into<Cow<'a, str>>, value: Node<'a>) {
        if self.fields.insert(key.into(), value).is_none() {
            self.held.grow(FIELD);
        }
    }

    /// The slot of a field, created with `initial` if it is new.
    pub(crate) fn entry(&mut self, key: Cow<'a, str>, initial: impl FnOnce() -> Node<'a>) -> &mut Node<'a> {
        self.fields.entry(key).or_insert_with(|| {
            self.held.grow(FIELD);
            initial()
        })
    }

    /// Sets all of these fields.
    pub(crate) fn extend(&mut self, fields: Self) {
        fields.fields.into_iter().for_each(|(key, value)| self.set(key, value));
    }

    /// The object as JSON text.
    pub(crate) fn to_json(&self) -> String {
        // A long text must not be reallocated: the copy takes time and, meanwhile, twice the
        // memory.
        let mut text = String::with_capacity(self.len());
        self.write(&mut text);
        text
    }

    /// The length of the text, without the escapes in keys.
    fn len(&self) -> usize {
        2 + self.fields.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>()
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (i, (key, value)) in self.fields.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_text(key, out);
            out.push(':');
            value.write(out);
        }
        out.push('}');
    }
}

fn write_items(items: &[Node<'_>], out: &mut String) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        item.write(out);
    }
    out.push(']');
}

/// Appends text as a JSON string.
pub(crate) fn write_text(text: &str, out: &mut String) {
    // Serialising a string never fails. The empty string is the fallback if that ever changes.
    out.push_str(serde_json::to_string(text).as_deref().unwrap_or("\"\""));
}

impl<'a> Nodes<'a> {
    pub(crate) fn push(&mut self, node: Node<'a>) {
        if self.held.try_grow(NODE) {
            self.nodes.push(node);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut Node<'a>> {
        self.nodes.last_mut()
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Node<'a>> {
        self.nodes.get_mut(place)
    }
}

impl<'a> Extend<Node<'a>> for Nodes<'a> {
    fn extend<I: IntoIterator<Item = Node<'a>>>(&mut self, nodes: I) {
        nodes.into_iter().for_each(|node| self.push(node));
    }
}

impl<'a> FromIterator<Node<'a>> for Nodes<'a> {
    fn from_iter<I: IntoIterator<Item = Node<'a>>>(nodes: I) -> Self {
        let mut list = Self::default();
        list.extend(nodes);
        list
    }
}
