//! Streams of one JSON array whose elements arrive one after the other.

use super::json::nodes::end_of_string;

/// The texts of the elements of an array. Strings and depth decide where an element ends, never the
/// lines: a printed element has many.
///
/// An element that is cut off is yielded too, so that its reader counts it as unreadable.
#[derive(Debug)]
pub(crate) struct ArrayItems<'a> {
    rest: &'a [u8],
    is_closed: bool,
}

impl<'a> ArrayItems<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        let body = start_of(body);
        Self { rest: body.strip_prefix(b"[").unwrap_or(body), is_closed: false }
    }

    /// The number of bytes left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether the end of the array was reached.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl<'a> Iterator for ArrayItems<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.is_closed {
            return None;
        }
        while let [b',' | b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if let [b']', rest @ ..] = self.rest {
            self.rest = rest;
            self.is_closed = true;
        }
        if self.is_closed || self.rest.is_empty() {
            return None;
        }
        let (item, rest) = self.rest.split_at_checked(end_of_value(self.rest))?;
        self.rest = rest;
        Some(item)
    }
}

/// Whether bytes begin like an array of objects.
pub(crate) fn looks_like_array(body: &[u8]) -> bool {
    let inside = start_of(body).strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    matches!(inside, Some([] | [b'{' | b']', ..]))
}

/// The end of the value at the start of these bytes, or of all bytes if it is cut off.
///
/// It is at least one byte long, even if that byte begins no value.
pub(crate) fn end_of_value(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at + 1),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ if depth > 0 => {
                at += 1;
                continue;
            }
            _ => at = end_of_literal(bytes, at),
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The end of a number or a name.
fn end_of_literal(bytes: &[u8], at: usize) -> usize {
    let is_other =
        |byte: &u8| matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b'"') || byte.is_ascii_whitespace();
    let length = bytes.get(at..).and_then(|rest| rest.iter().position(is_other));
    length.map_or(bytes.len(), |length| at + length.max(1))
}

fn start_of(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    fn items(body: &str) -> (Vec<&str>, bool) {
        let mut items = ArrayItems::new(body.as_bytes());
        let all = items.by_ref().map(|item| str::from_utf8(item).unwrap()).collect();
        (all, items.is_closed())
    }

    #[test]
    fn elements_over_several_lines_are_whole_and_letter_by_letter_as_they_were_sent() {
        let printed = "{\n  \"a\": [\n    1e999,\n    0.10\n  ],\n  \"a\": \"]},\\\"\\\\\"\n}";
        let body = format!("\u{feff} \r\n[{printed}\n,\r\n{{}}\n]\n");
        assert_eq!(items(&body), (vec![printed, "{}"], true));
    }

    #[test]
    fn an_array_that_is_cut_off_ends_in_what_there_is_of_its_last_element() {
        for (body, expected, is_closed) in [
            ("[", vec![], false),
            ("[{}", vec!["{}"], false),
            ("[{}\n,\r\n", vec!["{}"], false),
            ("[{},{\"a\":\"]", vec!["{}", "{\"a\":\"]"], false),
            ("[{},{\"a\":\"\\\"", vec!["{}", "{\"a\":\"\\\""], false),
            ("[{\"a\":[]", vec!["{\"a\":[]"], false),
            ("[]", vec![], true),
            ("[{}]{}", vec!["{}"], true),
        ] {
            assert_eq!(items(body), (expected, is_closed), "{body}");
        }
    }

    #[test]
    fn whatever_stands_between_elements_is_an_element_too_and_ends_nothing() {
        for (body, expected) in [
            ("[{}{} {}]", vec!["{}", "{}", "{}"]),
            ("[{}},{}]", vec!["{}", "}", "{}"]),
            ("[1 \"a,\"nul{},[2]]", vec!["1", "\"a,\"", "nul", "{}", "[2]"]),
            ("[{]}", vec!["{]", "}"]),
        ] {
            assert_eq!(items(body).0, expected, "{body}");
        }
    }

    #[test]
    fn how_much_is_left_falls_with_every_element() {
        let mut items = ArrayItems::new(b"[{},\n{\"a\":1}\n]");
        assert_eq!((items.next(), items.left()), (Some(&b"{}"[..]), 11));
        assert_eq!((items.next(), items.left()), (Some(&b"{\"a\":1}"[..]), 2));
        assert_eq!((items.next(), items.left(), items.is_closed()), (None, 0, true));
    }

    #[test]
    fn arrays_of_objects_are_known_by_their_first_bytes() {
        for body in ["[{", " [\n {\"a\":1}]", "\u{feff}[]", "["] {
            assert!(looks_like_array(body.as_bytes()), "{body}");
        }
        for body in ["", "{}", "[1]", "[[", "data: [{}]", "[DONE]"] {
            assert!(!looks_like_array(body.as_bytes()), "{body}");
        }
    }

    /// If each element looked at those after it, this would take hours.
    #[test]
    fn many_elements_and_much_depth_are_looked_at_once() {
        assert_eq!(ArrayItems::new("[".repeat(4_000_000).as_bytes()).count(), 1);
        assert_eq!(ArrayItems::new(["[", &"}".repeat(1_000_000)].concat().as_bytes()).count(), 1_000_000);
        assert_eq!(ArrayItems::new(["[", &"{},".repeat(1_000_000)].concat().as_bytes()).count(), 1_000_000);
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = r#"[\\"{},:a\[\]é\n]{0,6}"#;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..4)
                    .prop_map(|fields| fields.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_elements_are_those_of_a_parser(values in prop::collection::vec(json(), 0..6), is_printed: bool) {
            let values = Value::from(values);
            let text = if is_printed { format!("{values:#}") } else { values.to_string() };
            let expected: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
            let expected: Vec<_> = expected.into_iter().map(RawValue::get).collect();
            prop_assert_eq!(items(&text), (expected.clone(), true));
            for end in (1..text.len()).filter(|end| text.is_char_boundary(*end)) {
                let (cut, is_closed) = items(&text[..end]);
                let whole = cut.len().saturating_sub(1);
                prop_assert!(!is_closed && cut[..whole] == expected[..whole], "{}", &text[..end]);
                prop_assert!(cut.last().is_none_or(|last| expected[whole].starts_with(last)));
            }
        }
    }
}
