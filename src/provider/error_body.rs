//! Errors made by this crate, and errors sent with a success status.

use memchr::memmem;
use serde_json::value::RawValue;

use crate::codec::json::{self, Fields, Node};
use crate::provider::Placeholder;

/// The response for a call that got none.
pub(crate) fn error(kind: &str, message: &str, placeholder: Option<Placeholder>) -> Fields<'static> {
    let mut error = Fields::default();
    error.set("type", Node::string(kind));
    error.set("message", Node::string(message));
    let mut response = Fields::default();
    response.set("error", Node::Object(error));
    if let Some(placeholder) = placeholder {
        placeholder.add_to(&mut response);
    }
    response
}

/// Whether a response is only an error. Some servers send those with a success status.
pub(crate) fn is_error(answer: &[u8]) -> bool {
    is_only_error(answer, &["choices", "output", "data"])
}

/// Whether a response has an error, and nothing in the fields for content.
pub(crate) fn is_only_error(answer: &[u8], content: &[&str]) -> bool {
    if !has_error(answer) {
        return false;
    }
    let is_nothing = |raw: Option<&RawValue>| raw.and_then(json::items).map_or(raw.is_none(), str::is_empty);
    json::parse_object(answer).is_some_and(|fields| {
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
