use std::borrow::Cow;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// The request or the response of an interaction: text, and a tree once a hook has asked for one.
#[derive(Clone)]
pub(crate) struct Body {
    text: Text,
    tree: Option<Value>,
    /// How long it was, if its content was left out.
    whole_len: Option<usize>,
}

#[derive(Clone)]
enum Text {
    Own(Box<RawValue>),
    /// A copy costs nothing.
    Shared(Arc<RawValue>),
}

impl Body {
    /// The JSON text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match &self.tree {
            Some(tree) => tree.to_string().into(),
            None => self.text.raw().get().into(),
        }
    }

    /// How long the JSON text is.
    pub(crate) fn len(&self) -> usize {
        self.text().len()
    }

    /// How long the JSON text was before its content was left out.
    pub(super) fn whole_len(&self) -> usize {
        self.whole_len.unwrap_or_else(|| self.len())
    }

    /// Puts in its place what is left without the content.
    pub(super) fn omit(&mut self, left: Box<RawValue>) {
        *self = Self { whole_len: Some(self.whole_len()), ..left.into() };
    }

    /// Changes the text.
    pub(crate) fn change(&mut self, change: impl FnOnce(Box<RawValue>) -> Box<RawValue>) {
        let tree = self.tree.take().and_then(|tree| to_raw_value(&tree).ok());
        let raw = tree.unwrap_or_else(|| match &mut self.text {
            Text::Own(raw) => std::mem::take(raw),
            Text::Shared(raw) => (**raw).to_owned(),
        });
        self.text = Text::Own(change(raw));
    }

    /// Makes copies cheap.
    pub(super) fn share(&mut self) {
        if let Text::Own(raw) = &mut self.text {
            self.text = Text::Shared(std::mem::take(raw).into());
        }
    }

    /// A tree that can be changed; of what stands in its place, where no tree can hold it.
    pub(super) fn tree_or(&mut self, stand_in: impl FnOnce(&str) -> Box<RawValue>) -> &mut Value {
        let text = self.text.raw().get();
        self.tree.get_or_insert_with(|| {
            serde_json::from_str(text)
                .or_else(|_| serde_json::from_str(stand_in(text).get()))
                .unwrap_or_default()
        })
    }
}

impl From<Box<RawValue>> for Body {
    fn from(raw: Box<RawValue>) -> Self {
        Self { text: Text::Own(raw), tree: None, whole_len: None }
    }
}

impl Text {
    fn raw(&self) -> &RawValue {
        match self {
            Self::Own(raw) => raw,
            Self::Shared(raw) => raw,
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.tree {
            Some(tree) => tree.serialize(serializer),
            None => self.text.raw().serialize(serializer),
        }
    }
}
