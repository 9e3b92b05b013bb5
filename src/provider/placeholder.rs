use crate::codec::json::{Fields, Node};

/// A field that consoles expect, and the JSON for an empty one.
///
/// Bodies that could not be read in full get it, unless they have the field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholder {
    pub(crate) key: &'static str,
    pub(crate) empty: &'static str,
    /// A field that makes it unnecessary.
    pub(crate) unless: Option<&'static str>,
}

/// The placeholders for a request and a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholders {
    pub(crate) request: Option<Placeholder>,
    pub(crate) response: Option<Placeholder>,
}

impl Placeholders {
    pub(crate) const NONE: Self = Self { request: None, response: None };

    /// Those of a chat in OpenAI's format, which other providers have too.
    pub(crate) const CHAT: Self = Self {
        request: Some(Placeholder::new("messages", "[]")),
        response: Some(Placeholder::new("choices", "[]")),
    };
}

impl Placeholder {
    pub(crate) const fn new(key: &'static str, empty: &'static str) -> Self {
        Self { key, empty, unless: None }
    }

    /// Whether an object with these fields needs it.
    pub(crate) fn is_missing(self, has: impl Fn(&str) -> bool) -> bool {
        !has(self.key) && !self.unless.is_some_and(has)
    }

    /// Adds it to an object that needs it.
    pub(crate) fn add_to(self, fields: &mut Fields<'_>) {
        if self.is_missing(|key| fields.contains(key)) {
            fields.set(self.key, Node::Literal(self.empty.into()));
        }
    }
}
