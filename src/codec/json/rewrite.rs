//! Replaces strings and fields in a valid JSON text, without parsing it.

use std::borrow::Cow;

use memchr::memchr2;

use super::nodes::end_of_string;
use super::write_text;

/// Passes the place and the text of every string except keys to `change`, and replaces those for
/// which it returns another text. `None` if it returns none.
pub(crate) fn strings(json: &str, mut change: impl FnMut(usize, &str) -> Option<String>) -> Option<String> {
    let mut changed = String::new();
    let mut rest = 0;
    for (start, end) in Strings::of(json) {
        if is_key(json, end) {
            continue;
        }
        let Some(text) = change(start, &unescaped(json.get(start..end).unwrap_or_default())) else {
            continue;
        };
        if rest == 0 {
            changed.reserve(json.len());
        }
        changed.push_str(json.get(rest..start).unwrap_or_default());
        write_text(&text, &mut changed);
        rest = end;
    }
    (rest > 0).then(|| {
        changed.push_str(json.get(rest..).unwrap_or_default());
        changed
    })
}

/// The text with null as the value of these fields, at any depth.
pub(crate) fn without_fields(json: &str, names: &[&str]) -> String {
    let mut left = String::with_capacity(json.len());
    let (mut rest, mut skipped_to) = (0, 0);
    for (start, end) in Strings::of(json) {
        let name = || unescaped(json.get(start..end).unwrap_or_default());
        if start < skipped_to || !is_key(json, end) || !names.contains(&&*name()) {
            continue;
        }
        let value =
            json.get(end..).map_or(json.len(), |after| end + after.find(':').map_or(0, |colon| colon + 1));
        skipped_to = end_of_value(json, value);
        left.push_str(json.get(rest..value).unwrap_or_default());
        left.push_str("null");
        rest = skipped_to;
    }
    left.push_str(json.get(rest..).unwrap_or_default());
    left
}

/// The text of a string with its quotes, without escapes. If it has half a surrogate pair, which no
/// Rust string can hold, all surrogates become U+FFFD.
fn unescaped(string: &str) -> Cow<'_, str> {
    let inside = string.get(1..string.len().saturating_sub(1)).unwrap_or_default();
    if !inside.contains('\\') {
        return inside.into();
    }
    let parse = |string: &str| serde_json::from_str::<String>(string).ok();
    parse(string).or_else(|| parse(&without_surrogates(string))).map_or(inside.into(), Into::into)
}

fn without_surrogates(string: &str) -> String {
    let mut left = String::with_capacity(string.len());
    let mut rest = string;
    while let Some((before, after)) = rest.split_once('\\') {
        let escape = after.get(..5).unwrap_or(after);
        let is_surrogate = escape.len() == 5
            && escape.starts_with('u')
            && matches!(u32::from_str_radix(escape.get(1..).unwrap_or_default(), 16), Ok(0xd800..=0xdfff));
        let length = after.chars().next().map_or(0, char::len_utf8);
        let (escape, length) =
            if is_surrogate { ("ufffd", 5) } else { (after.get(..length).unwrap_or_default(), length) };
        left.push_str(before);
        left.push('\\');
        left.push_str(escape);
        rest = after.get(length..).unwrap_or_default();
    }
    left.push_str(rest);
    left
}

/// Whether the string that ends at this place is a key.
fn is_key(json: &str, end: usize) -> bool {
    json.get(end..).is_some_and(|after| after.trim_ascii_start().starts_with(':'))
}

/// The end of the value that begins after this place.
fn end_of_value(json: &str, mut at: usize) -> usize {
    let bytes = json.as_bytes();
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at + 1) - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 0 => depth -= 1,
            b',' | b']' | b'}' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}

/// The places of all strings, with their quotes.
struct Strings<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Strings<'a> {
    fn of(json: &'a str) -> Self {
        Self { bytes: json.as_bytes(), at: 0 }
    }
}

impl Iterator for Strings<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        // Outside of strings there are no backslashes.
        let start = self.at + memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
        self.at = end_of_string(self.bytes, start + 1);
        Some((start, self.at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn upper(json: &str) -> Option<String> {
        strings(json, |_, text| (text.contains('a')).then(|| text.to_uppercase()))
    }

    #[test]
    fn strings_are_replaced_and_keys_numbers_and_white_space_stay_as_they_were() {
        let json = "{ \"a\" : [1e999, 0.10, \"ab\\u0061\\n\"],\n\"b\":{\"a\":\"x\",\"a\":\"a\"} }";
        let expected = "{ \"a\" : [1e999, 0.10, \"ABA\\n\"],\n\"b\":{\"a\":\"x\",\"a\":\"A\"} }";
        assert_eq!(upper(json).as_deref(), Some(expected));
        assert_eq!(upper(r#"{"a":1,"b":"x"}"#), None);
        assert_eq!(upper(r#""a""#).as_deref(), Some(r#""A""#));
    }

    #[test]
    fn a_string_with_half_a_surrogate_pair_is_seen_without_escapes_too() {
        let mut seen = Vec::new();
        strings(r#"["\ud800 \\\u0061@b\n\ud83d\ude00"]"#, |_, text| {
            seen.push(text.to_owned());
            None
        });
        assert_eq!(seen, ["\u{fffd} \\a@b\n\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn fields_become_null_wherever_they_are_and_whatever_they_hold() {
        let json = r#"{"l":{"x":["l",{"l":1}]},"a":[{"l" : "}]" , "b":"l"}],"l":2}"#;
        let left = without_fields(json, &["l"]);
        assert_eq!(left, r#"{"l":null,"a":[{"l" :null, "b":"l"}],"l":null}"#);
    }

    #[test]
    fn a_key_is_found_however_it_is_escaped() {
        assert_eq!(without_fields(r#"{"\u006c":[1]}"#, &["l"]), r#"{"\u006c":null}"#);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[al\"\\\\]{0,2}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn visit(value: &mut Value, change: &mut impl FnMut(&mut String), dropped: &str) {
        match value {
            Value::String(text) => change(text),
            Value::Array(items) => items.iter_mut().for_each(|item| visit(item, change, dropped)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == dropped { *value = Value::Null } else { visit(value, change, dropped) }
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn the_result_is_that_of_a_tree(tree in any_json()) {
            let text = tree.to_string();
            let mut expected = tree.clone();
            visit(&mut expected, &mut |text| if text.contains('a') { *text = text.to_uppercase() }, "none");
            let changed = upper(&text).unwrap_or(text.clone());
            prop_assert_eq!(serde_json::from_str::<Value>(&changed).unwrap(), expected);
            let mut expected = tree;
            visit(&mut expected, &mut |_| {}, "l");
            let left = without_fields(&text, &["l"]);
            prop_assert_eq!(serde_json::from_str::<Value>(&left).unwrap(), expected);
        }
    }
}
