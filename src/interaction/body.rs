use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::codec::json::nodes::may_become_a_tree;

/// The request or the response of an interaction: JSON text, and a tree once a hook has requested
/// it.
#[derive(Clone)]
pub(crate) struct Body {
    text: Text,
    tree: Option<Value>,
    /// The length before the content was removed.
    whole_len: Option<usize>,
}

/// One JSON value, as text.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Own(Box<RawValue>),
    /// A clone costs one reference count.
    Shared(Arc<RawValue>),
    /// The validated bytes as received.
    Received(Bytes),
}

impl Body {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match &self.tree {
            Some(tree) => tree.to_string().into(),
            None => self.text.get().into(),
        }
    }

    /// The length of the JSON text.
    pub(crate) fn len(&self) -> usize {
        match &self.tree {
            Some(tree) => tree.to_string().len(),
            None => self.text.bytes().len(),
        }
    }

    /// Appends the JSON text.
    pub(crate) fn write(&self, out: &mut String) {
        match &self.tree {
            // `Value` prints as JSON.
            Some(tree) => drop(write!(out, "{tree}")),
            None => out.push_str(self.text.get()),
        }
    }

    /// The length of the JSON text before its content was removed.
    pub(super) fn whole_len(&self) -> usize {
        self.whole_len.unwrap_or_else(|| self.len())
    }

    /// Replaces the body with its redacted form.
    pub(super) fn omit(&mut self, left: Box<RawValue>) {
        *self = Self { whole_len: Some(self.whole_len()), ..left.into() };
    }

    /// Replaces the text.
    pub(crate) fn change(&mut self, change: impl FnOnce(Box<RawValue>) -> Box<RawValue>) {
        let tree = self.tree.take().and_then(|tree| to_raw_value(&tree).ok());
        let raw = tree.unwrap_or_else(|| std::mem::take(&mut self.text).into_raw());
        self.text = Text::Own(change(raw));
    }

    /// Replaces the text, if there is another one.
    pub(super) fn rewrite(&mut self, rewrite: impl FnOnce(&str) -> Option<String>) -> bool {
        let Some(text) = rewrite(&self.text()) else { return false };
        self.tree = None;
        self.text = Text::Own(RawValue::from_string(text).unwrap_or_default());
        true
    }

    #[cfg(test)]
    pub(super) fn has_tree(&self) -> bool {
        self.tree.is_some()
    }

    /// Copies received bytes, which may keep a larger allocation alive.
    pub(crate) fn detach(&mut self) {
        if let Text::Received(bytes) = &mut self.text {
            *bytes = Bytes::copy_from_slice(bytes);
        }
    }

    /// Makes clones cheap.
    pub(super) fn share(&mut self) {
        if let Text::Own(raw) = &mut self.text {
            self.text = Text::Shared(std::mem::take(raw).into());
        }
    }

    /// A mutable tree of the body, or of its stand-in if no tree can hold the body.
    pub(super) fn tree_or(&mut self, stand_in: impl FnOnce(&str) -> Box<RawValue>) -> &mut Value {
        let text = self.text.get();
        self.tree.get_or_insert_with(|| {
            let tree = if may_become_a_tree(text) { serde_json::from_str(text).ok() } else { None };
            tree.or_else(|| serde_json::from_str(stand_in(text).get()).ok()).unwrap_or_default()
        })
    }
}

impl From<Text> for Body {
    fn from(text: Text) -> Self {
        Self { text, tree: None, whole_len: None }
    }
}

impl From<Box<RawValue>> for Body {
    fn from(raw: Box<RawValue>) -> Self {
        Text::Own(raw).into()
    }
}

impl Text {
    /// Text built by this crate is valid JSON. Null is the fallback if that is ever wrong.
    pub(crate) fn of_json(json: String) -> Self {
        Self::Own(RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    pub(crate) fn get(&self) -> &str {
        match self {
            Self::Own(raw) => raw.get(),
            Self::Shared(raw) => raw.get(),
            // Checked again at every call, so with vector instructions.
            Self::Received(bytes) => simdutf8::basic::from_utf8(bytes).unwrap_or("null"),
        }
    }

    pub(crate) fn raw(&self) -> Cow<'_, RawValue> {
        match self {
            Self::Own(raw) => Cow::Borrowed(raw),
            Self::Shared(raw) => Cow::Borrowed(raw),
            Self::Received(bytes) => Cow::Borrowed(serde_json::from_slice(bytes).unwrap_or(RawValue::NULL)),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(raw) => raw.get().as_bytes(),
            Self::Shared(raw) => raw.get().as_bytes(),
            Self::Received(bytes) => bytes,
        }
    }

    pub(crate) fn into_raw(self) -> Box<RawValue> {
        match self {
            Self::Own(raw) => raw,
            Self::Shared(raw) => (*raw).to_owned(),
            Self::Received(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Own(Box::default())
    }
}
