//! Reports the complete values of a body that is almost valid JSON.

use serde_json::value::RawValue;

use super::decoded_body::{DecodedBody, begins_like_json};
use crate::codec::json;
use crate::codec::json::lenient::{self, Lenient};
use crate::codec::json::tail;
use crate::provider::Placeholder;
use crate::stats::Losses;

/// The complete values of JSON that is cut off, contains invalid UTF-8, or contains numbers that
/// JSON does not allow. `None` for anything else.
///
/// If the body is cut off, the complete members of its tail follow, if the tail was recorded, then
/// a `truncated` mark and the placeholder.
pub(super) fn complete_values(
    body: &DecodedBody,
    placeholder: Option<Placeholder>,
) -> Option<(Box<RawValue>, Losses)> {
    if !begins_like_json(&body.bytes) {
        return None;
    }
    let bytes = body.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body.bytes);
    let wrong_from = str::from_utf8(bytes).err().map(|error| error.valid_up_to());
    let Lenient { mut json, end, is_cut, is_mended } = lenient::read(&lenient::text(bytes))?;
    let mut losses = body.losses;
    // Text without a complete value may be anything that starts like JSON.
    if end == 0 && !losses.is_truncated {
        return None;
    }
    losses.is_mended = is_mended || wrong_from.is_some_and(|from| from < end);
    losses.is_truncated |= is_cut;
    if losses.is_truncated {
        losses.is_mended |= close(&mut json, body, placeholder)?;
    }
    // Validates the result: the body may have other faults.
    Some((RawValue::from_string(json).ok()?, losses))
}

/// Adds the tail, the mark and the placeholder to an object that is cut off. Returns whether the
/// tail had to be mended.
fn close(json: &mut String, body: &DecodedBody, placeholder: Option<Placeholder>) -> Option<bool> {
    let end = tail::members(&body.tail)
        .filter(|_| body.has_end)
        .and_then(|members| lenient::read(&format!("{{{members}}}")));
    let end = end.filter(|end| !end.is_cut && json::parse_object(end.json.as_bytes()).is_some());
    let is_mended = end.as_ref().is_some_and(|end| end.is_mended);
    if let Some(end) = end {
        append(json, end.json.get(1..end.json.len() - 1)?)?;
    }
    let fields = json::parse_object(json.as_bytes())?;
    let has = |name: &str| fields.iter().any(|(known, _)| known == name);
    let missing = placeholder.filter(|placeholder| placeholder.is_missing(has));
    let mut mark = String::from("\"truncated\":");
    mark.push_str(&body.truncated().to_json());
    append(json, &mark)?;
    if let Some(Placeholder { key, empty, .. }) = missing {
        append(json, &format!("\"{key}\":{empty}"))?;
    }
    Some(is_mended)
}

/// Appends members to the text of an object.
fn append(object: &mut String, members: &str) -> Option<()> {
    object.pop().filter(|last| *last == '}')?;
    if !object.trim_end().ends_with('{') {
        object.push(',');
    }
    object.push_str(members);
    object.push('}');
    Some(())
}
