//! The remainder of an interaction whose content must not be reported.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::codec::json::{Fields, Node};
use crate::provider::{InteractionKind, Placeholder};

/// Fields without content.
#[derive(Default, Deserialize)]
struct Known<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    created: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

pub(crate) fn request(kind: InteractionKind, json: &str, bytes: usize) -> Box<RawValue> {
    redacted(json, bytes, kind.placeholders().0)
}

pub(crate) fn response(kind: InteractionKind, json: &str, bytes: usize) -> Box<RawValue> {
    redacted(json, bytes, kind.placeholders().1)
}

fn redacted(json: &str, bytes: usize, placeholder: Placeholder) -> Box<RawValue> {
    let Known { id, object, created, model, usage } = serde_json::from_str(json).unwrap_or_default();
    let is_scalar = |raw: &&RawValue| !raw.get().starts_with(['{', '[']);
    let mut fields = Fields::default();
    for (key, raw) in [("id", id), ("object", object), ("created", created), ("model", model)] {
        if let Some(raw) = raw.filter(is_scalar) {
            fields.set(key, Node::Raw(raw));
        }
    }
    if let Some(usage) = usage {
        fields.set("usage", Node::Raw(usage));
    }
    if let Some((key, empty)) = placeholder {
        fields.set(key, Node::Literal(empty.into()));
    }
    let mut omitted = Fields::default();
    omitted.set("bytes", Node::number(bytes as u64));
    fields.set("omitted", Node::Object(omitted));
    // The JSON is always valid. Null is the fallback if that is ever wrong.
    RawValue::from_string(fields.to_json()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
