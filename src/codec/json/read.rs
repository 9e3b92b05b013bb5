//! Validates JSON and parses one level of it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::parts::{Entries, Values};
use crate::codec::allowance;

/// Validates that bytes are one JSON value, and returns its text without a byte order mark or white
/// space around it.
pub(crate) fn parse(bytes: &[u8]) -> Option<&RawValue> {
    if !allowance::examine(bytes.len()) {
        return None;
    }
    serde_json::from_str(text_of(bytes)?).ok()
}

/// Validates that bytes are one JSON object, and returns its fields. One pass does the work of
/// [`parse`] and `object`.
pub(crate) fn parse_object(bytes: &[u8]) -> Option<Entries<'_>> {
    fields(text_of(bytes)?.trim_start_matches([' ', '\t', '\n', '\r']))
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()
}

/// The fields of an object; `None` for any other value, and for an object with too many fields.
pub(crate) fn object(raw: &RawValue) -> Option<Entries<'_>> {
    fields(raw.get())
}

fn fields(text: &str) -> Option<Entries<'_>> {
    // Checked first, because an error costs more to construct than most values cost to read.
    if !text.starts_with('{') || !allowance::examine(text.len()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The elements of an array; `None` for any other value, and for an array with too many elements.
pub(crate) fn array(raw: &RawValue) -> Option<Values<'_>> {
    if !raw.get().starts_with('[') || !allowance::examine(raw.get().len()) {
        return None;
    }
    serde_json::from_str(raw.get()).ok()
}

/// The value of a field. The last of duplicate keys counts, as for most parsers.
pub(crate) fn field<'a>(fields: &[(Cow<'_, str>, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    fields.iter().rfind(|(key, _)| key == name).map(|(_, raw)| *raw)
}
