use std::borrow::Cow;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The request or the response of an interaction: text, and a tree once a hook has asked for one.
#[derive(Clone)]
pub(crate) struct Body {
    text: Text,
    tree: Option<Value>,
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

    /// How long the JSON text is, or was before it became a tree.
    pub(crate) fn len(&self) -> usize {
        self.text.raw().get().len()
    }

    /// Changes the text, before there is a tree.
    pub(crate) fn change(&mut self, change: impl FnOnce(Box<RawValue>) -> Box<RawValue>) {
        if let Text::Own(raw) = &mut self.text {
            *raw = change(std::mem::take(raw));
        }
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
        Self { text: Text::Own(raw), tree: None }
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
