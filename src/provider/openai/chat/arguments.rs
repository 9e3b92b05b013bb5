//! Finds the end of a tool call's arguments.

/// How far the arguments of a call have been scanned. They arrive in pieces, and each byte is
/// scanned once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    read: usize,
    /// The number of open objects and arrays.
    depth: usize,
    is_in_string: bool,
    /// The previous byte was a backslash in a string.
    is_escaped: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Before,
    Inside,
    Behind,
    /// The text is not an object, or there is more than one value.
    Other,
}

impl Extent {
    /// Whether this text is exactly one complete JSON object.
    ///
    /// The text must be that of the previous call, or a continuation of it. It has the escapes of
    /// the JSON string around it.
    pub(crate) fn reaches_end(&mut self, text: &str) -> bool {
        let mut rest = text.as_bytes().get(self.read..).unwrap_or_default();
        while let [first, tail @ ..] = rest {
            let (byte, tail) = match (first, tail) {
                (b'\\', [b'u', digits @ ..]) => {
                    digits.split_at_checked(4).map_or((0, tail), |(digits, tail)| {
                        (
                            str::from_utf8(digits)
                                .ok()
                                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                                .unwrap_or(0),
                            tail,
                        )
                    })
                }
                (b'\\', [b'n' | b'r' | b't', tail @ ..]) => (b' ', tail),
                (b'\\', [byte, tail @ ..]) => (*byte, tail),
                _ => (*first, tail),
            };
            self.take(byte);
            rest = tail;
        }
        self.read = text.len();
        self.stage == Stage::Behind
    }

    fn take(&mut self, byte: u8) {
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_string = false,
                _ => {}
            }
            return;
        }
        match (self.stage, byte) {
            (_, b' ') => {}
            (Stage::Before, b'{') => (self.stage, self.depth) = (Stage::Inside, 1),
            (Stage::Inside, b'"') => self.is_in_string = true,
            (Stage::Inside, b'{' | b'[') => self.depth += 1,
            (Stage::Inside, b'}' | b']') => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.stage = Stage::Behind;
                }
            }
            (Stage::Inside, _) => {}
            _ => self.stage = Stage::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::Extent;

    /// Adds the pieces, escaped as in JSON strings. Returns for each piece whether the arguments
    /// are complete after it.
    fn whole(pieces: &[String]) -> Vec<bool> {
        let (mut text, mut extent) = (String::new(), Extent::default());
        let mut add = |piece: &String| {
            let quoted = serde_json::to_string(piece).unwrap();
            text.push_str(&quoted[1..quoted.len() - 1]);
            let is_whole = extent.reaches_end(&text);
            assert_eq!(extent.read, text.len(), "nothing is read twice");
            assert_eq!(is_whole, Extent::default().reaches_end(&text), "pieces change nothing");
            is_whole
        };
        pieces.iter().map(&mut add).collect()
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = || {
            prop::collection::vec(prop::sample::select(vec!["a", "}", "{", "\"", "\\", "]", "é", "\n"]), 0..4)
        };
        let leaf =
            prop_oneof![any::<i8>().prop_map(Value::from), text().prop_map(|text| text.concat().into())];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..4).prop_map(|fields| {
                    fields.into_iter().map(|(key, value)| (key.concat(), value)).collect::<Value>()
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn arguments_are_whole_with_the_last_brace_of_an_object_and_never_before(value in json()) {
            let text = value.to_string();
            let pieces: Vec<String> = text.chars().map(String::from).collect();
            let whole = whole(&pieces);
            let before = whole.len() - 1;
            prop_assert!(whole[..before].iter().all(|is_whole| !is_whole), "{}", text);
            prop_assert_eq!(whole[before], value.is_object(), "{}", text);
        }

        #[test]
        fn arguments_of_any_kind_are_read_once(pieces in prop::collection::vec("[{}\\[\\]\"\\\\a u0-9\n]{0,3}", 0..12)) {
            whole(&pieces);
        }
    }

    #[test]
    fn escapes_of_the_outer_text_hide_nothing() {
        for (text, is_whole) in [
            (r"\u007b\u007d", true),
            (r#"{\"a\":\"\\\"}\"}"#, true),
            (r#"{\"a\":\"\\\"}"#, false),
            (r"{\u0022}", false),
            (r"{\u0022}\u0022}", true),
            (r" \n\t{ }\r\n", true),
            ("{}{}", false),
            ("{}}", false),
            ("1{}", false),
            ("[{}]", false),
            ("", false),
        ] {
            assert_eq!(Extent::default().reaches_end(text), is_whole, "{text}");
        }
    }
}
