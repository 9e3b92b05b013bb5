//! JSON as text: taken apart one level at a time, put together again without ever being a tree.
//!
//! Numbers, escapes and key order stay as they were sent. Nothing here recurses into what it reads.

pub(crate) mod elements;
pub(crate) mod lenient;
pub(crate) mod merge;
pub(crate) mod nodes;
pub(crate) mod parts;
pub(crate) mod tail;

use std::borrow::Cow;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde_json::value::RawValue;

use self::elements::Elements;
pub(crate) use self::parts::{Entries, Values};
use super::allowance::{self, Held};

/// How many nodes a field or element under construction stands for: it takes more than 100 bytes, and lists grow by doubling.
const FIELD: usize = 3;
const NODE: usize = 2;

/// Checks that bytes are one JSON value, and returns its text. A byte order mark and white space around it are not
/// part of it.
pub(crate) fn parse(bytes: &[u8]) -> Option<&RawValue> {
    if !allowance::examine(bytes.len()) {
        return None;
    }
    serde_json::from_str(text_of(bytes)?).ok()
}

/// Checks that bytes are one JSON object, and returns its fields: as of what [`parse`] gives, in one pass.
pub(crate) fn parse_object(bytes: &[u8]) -> Option<Entries<'_>> {
    fields(text_of(bytes)?.trim_start_matches([' ', '\t', '\n', '\r']))
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()
}

pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}

/// The fields of an object; `None` for any other value, and for one that has too many to be meant.
pub(crate) fn object(raw: &RawValue) -> Option<Entries<'_>> {
    fields(raw.get())
}

fn fields(text: &str) -> Option<Entries<'_>> {
    // Looked at before: an error takes longer to make than most values take to read.
    if !text.starts_with('{') || !allowance::examine(text.len()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The elements of an array; `None` for any other value, and for one that is too long to be meant.
pub(crate) fn array(raw: &RawValue) -> Option<Values<'_>> {
    if !raw.get().starts_with('[') || !allowance::examine(raw.get().len()) {
        return None;
    }
    serde_json::from_str(raw.get()).ok()
}

/// The inside of a string, still escaped; `None` for any other value. Two such texts can be joined as they are.
pub(crate) fn text(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// The inside of an array, as text; `None` for any other value. Two such texts can be joined by a comma.
pub(crate) fn items(raw: &RawValue) -> Option<&str> {
    Some(raw.get().strip_prefix('[')?.strip_suffix(']')?.trim_ascii())
}

pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Whether a value says nothing: null, or the empty string.
pub(crate) fn is_blank(raw: &RawValue) -> bool {
    matches!(raw.get(), "null" | "\"\"")
}

/// JSON under construction.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Raw(&'a RawValue),
    /// JSON text of our own, or checked before.
    Literal(Cow<'a, str>),
    /// The inside of a string, escaped.
    Text(String),
    /// The same for a text that came so many times. It is written once.
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

/// The fields of an object under construction, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    fields: IndexMap<Cow<'a, str>, Node<'a>, RandomState>,
    held: Held,
}

/// The elements of an array under construction. Those for which the allowance has no room are left out.
#[derive(Debug, Default)]
pub(crate) struct Nodes<'a> {
    nodes: Vec<Node<'a>>,
    held: Held,
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

    /// The inside of a string, still escaped; `None` for any other value.
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

    /// How long the text will be, or a little more.
    fn len(&self) -> usize {
        let list = |items: &[Node<'_>]| 2 + items.iter().map(|item| item.len() + 1).sum::<usize>();
        match self {
            Self::Raw(raw) => raw.get().len(),
            Self::Literal(text) => text.len(),
            Self::Text(_) | Self::Repeated { .. } => 2 + self.as_text().map_or(0, str::len),
            Self::Array(items) => list(&items.nodes),
            Self::Elements(elements) => list(elements.items()),
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
            Self::Elements(elements) => write_items(elements.items(), out),
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
    /// The fields of an object as they are.
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

    /// The place of a field, made with `initial` if it is new.
    pub(crate) fn entry(&mut self, key: Cow<'a, str>, initial: impl FnOnce() -> Node<'a>) -> &mut Node<'a> {
        self.fields.entry(key).or_insert_with(|| {
            self.held.grow(FIELD);
            initial()
        })
    }

    /// Sets all of these fields too.
    pub(crate) fn extend(&mut self, fields: Self) {
        fields.fields.into_iter().for_each(|(key, value)| self.set(key, value));
    }

    /// The object as JSON text.
    pub(crate) fn to_json(&self) -> String {
        // Growing would copy a long text, and take twice its memory meanwhile.
        let mut text = String::with_capacity(self.len());
        self.write(&mut text);
        text
    }

    /// How long the text will be, but for what is escaped in keys.
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
    // A string always serialises; the empty one stands where that should ever change.
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
