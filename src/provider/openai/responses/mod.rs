//! The Responses API: its streams, and its translation into the shape of a chat, which Reconify documents.

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
use crate::provider::kind::InteractionKind;
use crate::provider::spec::{Convert, Converted};

/// More items than any conversation has: what has more is reported by its length, since a chat of it could be ten times
/// as long as it.
const MOST_ITEMS: usize = 10_000;

/// More parts than the items of any response have. Each takes many times its length in memory.
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

/// Sets a field where it is first asked for.
fn set_once<'a>(fields: &mut Fields<'a>, key: &'static str, value: &mut Option<Node<'a>>) {
    if let Some(value) = value.take() {
        fields.set(key, value);
    }
}

/// Conversion into a chat, which Reconify documents.
pub(crate) const TO_CHAT: Convert = Convert {
    kind: InteractionKind::Chat,
    request: chat_request,
    response: chat_response,
    too_many: of_too_many,
};

fn whole(json: String) -> Converted {
    Converted { json, is_truncated: false }
}

/// What stands for a body with too many items.
fn of_too_many(body: &RawValue, expected: &str) -> Converted {
    let bytes = body.get().len();
    let json = format!(r#"{{"truncated":{{"bytes":{bytes},"itemLimit":{MOST_ITEMS}}},"{expected}":[]}}"#);
    Converted { json, is_truncated: true }
}
