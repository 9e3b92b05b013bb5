//! The shapes of errors: those that this crate reports for calls without a response, and those that
//! servers send with a success status.

use memchr::memmem;
use serde_json::value::RawValue;

use crate::codec::json::{self, Fields, Node};
use crate::provider::Placeholder;

/// An object whose values are texts.
pub(crate) fn texts<const N: usize>(fields: [(&'static str, &str); N]) -> Fields<'static> {
    let mut object = Fields::default();
    for (key, text) in fields {
        object.set(key, Node::string(text));
    }
    object
}

/// An object with these texts in its field `error`.
pub(crate) fn in_error<const N: usize>(fields: [(&'static str, &str); N]) -> Fields<'static> {
    let mut object = Fields::default();
    object.set("error", Node::Object(texts(fields)));
    object
}

/// The response for a call that got none, in the shape of OpenAI and compatible servers.
pub(crate) fn error(kind: &str, message: &str, placeholder: Option<Placeholder>) -> Fields<'static> {
    let mut response = in_error([("type", kind), ("message", message)]);
    if let Some(placeholder) = placeholder {
        placeholder.add_to(&mut response);
    }
    response
}

/// Whether a response of OpenAI or of a compatible server is only an error.
pub(crate) fn is_error(response: &[u8]) -> bool {
    is_only_error(response, &["choices", "output", "data"])
}

/// Whether a response has an `error`, and nothing in the fields for content. Some servers send such
/// responses with a success status.
pub(crate) fn is_only_error(response: &[u8], content: &[&str]) -> bool {
    if !has_error(response) {
        return false;
    }
    let is_nothing = |raw: Option<&RawValue>| raw.and_then(json::items).map_or(raw.is_none(), str::is_empty);
    json::parse_object(response).is_some_and(|fields| {
        let get = |name| json::field(&fields, name).filter(|raw| !json::is_null(raw));
        get("error").is_some() && content.iter().copied().map(get).all(is_nothing)
    })
}

/// A quick check for an error that is not null: most responses have none.
fn has_error(json: &[u8]) -> bool {
    const NAME: &[u8] = b"\"error\"";
    memmem::find_iter(json, NAME).any(|at| {
        let rest = json.get(at + NAME.len()..).unwrap_or_default().trim_ascii_start();
        rest.strip_prefix(b":").is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}
