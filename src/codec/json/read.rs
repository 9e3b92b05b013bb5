//! Checks JSON and takes one level of it apart.

use serde_json::value::RawValue;

use super::parts::{Entries, Values};
use crate::codec::allowance;

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
