//! Reads the end of a JSON object whose middle is missing.

use memchr::memrchr;

/// The complete members in the last bytes of an object, as text without its closing brace. `None`
/// if there are none.
///
/// Read backwards from the last byte, JSON is unambiguous. The closing brace stands outside of all
/// strings, so the quote before it ends a string. That string begins at the next quote with an even
/// number of backslashes before it. Each comma at the object's own level begins a member. The
/// result still has to be validated.
pub(crate) fn members(bytes: &[u8]) -> Option<&str> {
    let object = bytes.trim_ascii_end().strip_suffix(b"}")?;
    let mut start = None;
    let mut depth = 0_usize;
    let mut end = object.len();
    while let Some((at, byte)) = end.checked_sub(1).and_then(|at| Some((at, *object.get(at)?))) {
        end = at;
        match byte {
            b'"' => match begin_of_string(object, at) {
                Some(begin) => end = begin,
                None => break,
            },
            b'}' | b']' => depth += 1,
            b'{' | b'[' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                // The object's own opening brace: nothing is missing, so this is not its end.
                None => return None,
            },
            b',' if depth == 0 => start = Some(at + 1),
            _ => {}
        }
    }
    str::from_utf8(object.get(start?..)?).ok()
}

/// The start of the string whose closing quote is at `end`. `None` if it cannot be determined.
fn begin_of_string(bytes: &[u8], end: usize) -> Option<usize> {
    let mut before = bytes.get(..end)?;
    loop {
        let quote = memrchr(b'"', before)?;
        before = before.get(..quote)?;
        // All the backslashes before the quote decide whether it is escaped.
        let other = before.iter().rposition(|byte| *byte != b'\\')?;
        if (before.len() - other) % 2 == 1 {
            return Some(quote);
        }
        before = before.get(..=other)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn members_at_the_end_are_found_and_none_of_what_stands_deeper() {
        for (tail, found) in [
            (r#"xt"}],"model":"m","stream":true}"#, Some(r#""model":"m","stream":true"#)),
            (r#" t","usage":{"a":[1,2]},"b":"},{" } "#, Some(r#""usage":{"a":[1,2]},"b":"},{" "#)),
            (r#"o","model":"fake"}],"model":"m"}"#, Some(r#""model":"m""#)),
            (r#"\",\"model\":\"fake\"","a":1}"#, Some(r#""a":1"#)),
            (r#"\","model":"m"}"#, Some(r#""model":"m""#)),
            (r#" said \",\"model\":\"fake\""}"#, None),
            (r#"\\\\","a":"\\"}"#, Some(r#""a":"\\""#)),
            (r#"","a":1}]"#, None),
            (r#""a":1}"#, None),
            (r#"} {"a":1,"b":2}"#, None),
            (r#"{},"b":2}"#, Some(r#""b":2"#)),
            (r#"x","#, None),
            ("}", None),
            ("", None),
        ] {
            assert_eq!(members(tail.as_bytes()), found, "{tail}");
        }
    }

    fn fields() -> impl Strategy<Value = Map<String, Value>> {
        let text = r#"[\\"{},:a\[\]é]{0,12}"#;
        let leaf = prop_oneof![any::<i32>().prop_map(Value::from), text.prop_map(Value::from)];
        let value = leaf.prop_recursive(4, 30, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
            ]
        });
        prop::collection::vec((text, value), 1..6).prop_map(|fields| fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn wherever_the_end_of_an_object_begins_its_members_are_members_of_the_object(object in fields()) {
            let text = Value::from(object.clone()).to_string();
            let mut most = 0;
            for start in 1..text.len() {
                let Some(found) = members(&text.as_bytes()[start..]) else { continue };
                let found: Map<String, Value> = serde_json::from_str(&format!("{{{found}}}")).expect("they are whole");
                prop_assert!(found.iter().all(|(key, value)| object.get(key) == Some(value)), "{found:?} of {text}");
                most = most.max(found.len());
            }
            prop_assert_eq!(most, object.len() - 1, "all but the first, of which it is not seen where it begins");
        }
    }
}
