//! The remainder of an interaction whose content must not be reported.

use serde_json::value::RawValue;

use crate::codec::allowance::Allowance;
use crate::codec::json::{self, Fields, Node};
use crate::provider::{OperationSpec, Placeholder};

pub(crate) fn request(spec: &OperationSpec, json: &str, bytes: usize) -> Box<RawValue> {
    redacted(spec, json, bytes, spec.placeholders.request)
}

pub(crate) fn response(spec: &OperationSpec, json: &str, bytes: usize) -> Box<RawValue> {
    redacted(spec, json, bytes, spec.placeholders.response)
}

fn redacted(
    spec: &OperationSpec,
    json: &str,
    bytes: usize,
    placeholder: Option<Placeholder>,
) -> Box<RawValue> {
    let (entries, _) = Allowance::LARGE.within(|| json::parse_object(json.as_bytes()));
    let entries = entries.unwrap_or_default();
    let is_scalar = |raw: &&RawValue| !raw.get().starts_with(['{', '[']);
    let scalars = spec.kept.scalars.iter().map(|key| (*key, json::field(&entries, key).filter(is_scalar)));
    let values = spec.kept.values.iter().map(|key| (*key, json::field(&entries, key)));
    let mut fields = Fields::default();
    for (key, raw) in scalars.chain(values) {
        if let Some(raw) = raw {
            fields.set(key, Node::Raw(raw));
        }
    }
    if let Some(placeholder) = placeholder {
        placeholder.add_to(&mut fields);
    }
    let mut omitted = Fields::default();
    omitted.set("bytes", Node::number(bytes as u64));
    fields.set("omitted", Node::Object(omitted));
    // The JSON is always valid. Null is the fallback if that is ever wrong.
    RawValue::from_string(fields.to_json()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
