use serde_json::value::RawValue;

use crate::codec::json::{self, Entries};
use crate::provider::stream::Progress;

/// The data of one event of Anthropic's streams.
#[derive(Debug)]
pub(super) struct AnthropicEvent<'a> {
    /// The `type` of the data, or else the name of the event.
    pub(super) kind: &'a str,
    pub(super) fields: Entries<'a>,
    /// The error in the event, or the whole event if that is the error.
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> AnthropicEvent<'a> {
    /// Parses an event and counts it; `None` if it is not a JSON object.
    pub(super) fn read(name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> Option<Self> {
        let fields = json::parse_object(data)?;
        let kind = json::field(&fields, "type").and_then(json::text);
        let kind = kind.unwrap_or_else(|| str::from_utf8(name).unwrap_or_default());
        let error = json::field(&fields, "error").filter(|error| !json::is_null(error));
        let error = error.or_else(|| if kind == "error" { json::parse(data) } else { None });
        progress.chunks += 1;
        progress.has_error |= error.is_some();
        Some(Self { kind, fields, error })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        json::field(&self.fields, name)
    }

    /// The index of a block, if it is a number.
    pub(super) fn index(&self) -> Option<u64> {
        self.get("index")?.get().parse().ok()
    }
}
