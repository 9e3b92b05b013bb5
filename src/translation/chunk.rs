use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json;

/// The data of one event of a stream.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    /// What the event calls itself; often nothing.
    name: &'a [u8],
    pub(super) raw: &'a RawValue,
    pub(super) fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// What is known of a stream so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Whether it has said by itself that it is whole: OpenAI marks that with `[DONE]`.
    pub(super) is_done: bool,
    /// Whether it carried an error.
    pub(super) has_error: bool,
    /// Events that were no end.
    pub(super) chunks: u64,
    /// Events among them, and choices in them, that could not be read.
    pub(super) skipped: u64,
    /// Whether there was a text, tool call, refusal or reasoning yet.
    pub(super) has_token: bool,
}

impl<'a> Chunk<'a> {
    /// `None` for what is no object.
    pub(super) fn of(name: &'a [u8], raw: &'a RawValue) -> Option<Self> {
        Some(Self { name, raw, fields: json::object(raw)? })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw)
    }

    /// What the data calls itself, or else the event.
    pub(super) fn kind(&self) -> &'a [u8] {
        self.get("type").and_then(json::text).map_or(self.name, str::as_bytes)
    }

    /// The error that it carries: in a field of that name, or as a whole.
    pub(super) fn error(&self) -> Option<&'a RawValue> {
        let inner = self.get("error").filter(|error| !json::is_null(error));
        inner.or_else(|| (self.kind() == b"error" && self.get("choices").is_none()).then_some(self.raw))
    }
}
