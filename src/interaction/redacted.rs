//! The remainder of an interaction whose content must not be reported.

use serde_json::value::RawValue;

use crate::codec::allowance::Allowance;
use crate::codec::json::{self, Entries, Fields, Node, rewrite};
use crate::provider::{OperationSpec, Placeholder};

/// The remainder of a body in the format of this row.
pub(super) fn redacted(
    row: &OperationSpec,
    placeholder: Option<Placeholder>,
    json: &str,
    bytes: usize,
) -> Box<RawValue> {
    // The body may have more fields than should be held.
    let (text, _) = Allowance::LARGE.within(|| {
        let entries = json::parse_object(json.as_bytes()).unwrap_or_default();
        let mut fields = kept(row, &entries);
        if let Some(placeholder) = placeholder {
            // A body in an envelope keeps its own fields.
            if row.envelope.is_some_and(|envelope| envelope.encloses) {
                let body = json::field(&entries, placeholder.key).and_then(json::object).unwrap_or_default();
                fields.set(placeholder.key, Node::Object(kept(row, &body)));
            }
            placeholder.add_to(&mut fields);
        }
        let mut omitted = Fields::default();
        omitted.set("bytes", Node::number(bytes as u64));
        fields.set("omitted", Node::Object(omitted));
        fields.to_json()
    });
    // The JSON is always valid. Null is the fallback if that is ever wrong.
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The fields that reveal nothing of the content.
fn kept<'a>(row: &OperationSpec, entries: &Entries<'a>) -> Fields<'a> {
    let is_scalar = |raw: &&RawValue| !raw.get().starts_with(['{', '[']);
    let scalars = row.kept.scalars.iter().map(|key| (*key, json::field(entries, key).filter(is_scalar)));
    let values = row.kept.values.iter().map(|key| (*key, json::field(entries, key)));
    let mut fields = Fields::default();
    for (key, raw) in scalars.chain(values) {
        if let Some(raw) = raw.filter(|raw| !json::is_null(raw)) {
            fields.set(key, Node::Raw(raw));
        }
    }
    fields
}

/// The text of an object with null in this field of its own; `None` if it has none. If the object has
/// too many fields to be held, every field of that name is null.
pub(super) fn without_field(json: &str, name: &str) -> Option<String> {
    let (text, cost) = Allowance::LARGE.within(|| without_own(json, name));
    let is_whole = !cost.is_exhausted && cost.left_out == 0 && cost.refused == 0;
    if is_whole { text } else { Some(rewrite::without_fields(json, &[name])) }
}

fn without_own(json: &str, name: &str) -> Option<String> {
    let fields = json::parse_object(json.as_bytes())?;
    let (mut text, mut rest) = (String::new(), 0);
    for (_, value) in fields.iter().filter(|(key, _)| key == name) {
        let place = json::place(value.get(), json.as_bytes())?;
        text.push_str(json.get(rest..place.start)?);
        text.push_str("null");
        rest = place.end;
    }
    text.push_str(json.get(rest..)?);
    (rest > 0).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::without_field;

    #[test]
    fn a_field_is_null_wherever_the_object_itself_has_it() {
        let json = r#"{"a":[1, 2] ,"b":{"a":0.10},"a":1e999}"#;
        let expected = r#"{"a":null ,"b":{"a":0.10},"a":null}"#;
        assert_eq!(without_field(json, "a").as_deref(), Some(expected));
        assert_eq!(without_field(json, "c"), None);
        assert_eq!(without_field("[1]", "a"), None);
        let many = format!(r#"{{{}"a":[1]}}"#, r#""b":{"a":1},"#.repeat(400_000));
        assert!(!without_field(&many, "a").unwrap().contains(r#""a":[1]"#));
    }
}
