//! Bodies that are no valid JSON, but nearly: what of them is complete is reported.

use serde_json::value::RawValue;

use super::decoded_body::{DecodedBody, begins_like_json};
use crate::codec::json;
use crate::codec::json::lenient::{self, Lenient};
use crate::codec::json::tail;
use crate::stats::Losses;

/// A field that the console reaches for without looking whether it is there: it stands in whatever replaces a body.
pub(super) type Expected = Option<(&'static str, &'static str)>;

/// What is complete of a body that is JSON but for where it ends, for bytes that are no UTF-8, or for numbers that JSON
/// does not have. `None` if it is something else.
///
/// If it is cut off, the complete members at its end follow, if they are known, and then a mark and what consoles reach
/// for.
pub(super) fn parts(body: &DecodedBody, expected: Expected) -> Option<(Box<RawValue>, Losses)> {
    if !begins_like_json(&body.bytes) {
        return None;
    }
    let bytes = body.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body.bytes);
    let wrong_from = str::from_utf8(bytes).err().map(|error| error.valid_up_to());
    let Lenient { mut json, end, is_cut, is_mended } = lenient::read(&lenient::text(bytes))?;
    let mut losses = body.losses;
    // It may be anything that begins like JSON.
    if end == 0 && !losses.is_truncated {
        return None;
    }
    losses.is_mended = is_mended || wrong_from.is_some_and(|from| from < end);
    losses.is_truncated |= is_cut;
    if losses.is_truncated {
        losses.is_mended |= close(&mut json, body, expected)?;
    }
    // It may have more wrong with it.
    Some((RawValue::from_string(json).ok()?, losses))
}

/// Adds what else there is to say of an object that is cut off. Returns whether that had to be mended.
fn close(json: &mut String, body: &DecodedBody, expected: Expected) -> Option<bool> {
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
    // With messages it is a chat, whatever its path says: it lacks no prompt.
    let missing = expected.filter(|(key, _)| !(has(key) || *key == "prompt" && has("messages")));
    let mut mark = String::from("\"truncated\":");
    mark.push_str(&body.truncated().to_json());
    append(json, &mark)?;
    if let Some((key, empty)) = missing {
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
