//! Views of a validated JSON text.

use serde_json::value::RawValue;

pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}

/// The inside of a string, with its escapes; `None` for any other value. Two such texts can be
/// concatenated.
pub(crate) fn text(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// The inside of an array, as text; `None` for any other value. Two such texts can be joined by a
/// comma.
pub(crate) fn items(raw: &RawValue) -> Option<&str> {
    Some(raw.get().strip_prefix('[')?.strip_suffix(']')?.trim_ascii())
}

pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Whether a value is null or the empty string.
pub(crate) fn is_blank(raw: &RawValue) -> bool {
    matches!(raw.get(), "null" | "\"\"")
}
