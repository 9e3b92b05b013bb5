//! The Responses API: its streams, and its conversion into a chat, the format that Reconify
//! documents.

mod address;
mod assembler;
mod item;
mod items;
mod part;
mod request;
mod response;
mod streamed_item;
#[cfg(test)]
mod tests;

pub(crate) use self::assembler::ResponseAssembler;
pub(crate) use self::request::chat_request;
pub(crate) use self::response::chat_response;

use serde_json::value::RawValue;

use crate::codec::json::{self, Fields, Node};
use crate::provider::spec::Converted;

/// The maximum number of items; no conversation has more. A larger body is reported by its length
/// only, because its chat could be ten times as long.
const MOST_ITEMS: usize = 10_000;

/// The maximum number of parts; no response has more. Each takes many times its length in memory.
const MOST_PARTS: usize = 10_000;

fn has_too_many(list: &RawValue) -> bool {
    list.get().starts_with('[') && json::array(list).is_none_or(|items| items.len() > MOST_ITEMS)
}

/// Appends elements to the inside of a list, as JSON text.
fn lengthen(list: &mut String, elements: &str) {
    if !list.is_empty() && !elements.is_empty() {
        list.push(',');
    }
    list.push_str(elements);
}

/// Sets a field at the position of the first key that maps to it.
fn set_once<'a>(fields: &mut Fields<'a>, key: &'static str, value: &mut Option<Node<'a>>) {
    if let Some(value) = value.take() {
        fields.set(key, value);
    }
}

fn whole(json: String) -> Converted {
    Converted { json, is_truncated: false }
}

/// The replacement for a body with too many items.
pub(crate) fn of_too_many(body: &RawValue, expected: &str) -> Converted {
    let bytes = body.get().len();
    let json = format!(r#"{{"truncated":{{"bytes":{bytes},"itemLimit":{MOST_ITEMS}}},"{expected}":[]}}"#);
    Converted { json, is_truncated: true }
}
