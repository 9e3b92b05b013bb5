//! A fast path for a chunk that differs from the previous one only in its text and in the numbers of
//! its usage.
//!
//! Nearly all chunks are of this kind, and comparing one costs far less than parsing it.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::codec::json::nodes::end_of_string;
use crate::codec::json::{end_of_text, place};

/// The chunk that later chunks are compared with.
///
/// All its values but the text replace earlier ones when they are repeated, so the last chunk counts.
/// Only the first repetition may change the result, because it parses an object that was kept as text
/// until then.
#[derive(Debug)]
pub(super) struct TextTemplate<'a> {
    data: &'a [u8],
    text: Range<usize>,
    /// The place of the usage, and of the numbers in it.
    usage: Range<usize>,
    numbers: Vec<Range<usize>>,
    /// Whether the other fields have been added twice. Until then, matching chunks are parsed.
    pub(super) is_settled: bool,
}

/// A chunk that matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    pub(super) text: &'a str,
    /// The usage; empty if there is none.
    pub(super) usage: &'a [u8],
}

/// The maximum count of numbers. Usage has about ten.
const MOST_NUMBERS: usize = 32;

impl<'a> TextTemplate<'a> {
    /// The text is the only one of the chunk. `None` if there are too many numbers.
    pub(super) fn of(
        data: &'a [u8],
        text: &'a str,
        usage: Option<&'a RawValue>,
        is_settled: bool,
    ) -> Option<Self> {
        let text = place(text, data)?;
        let usage = usage.and_then(|usage| place(usage.get(), data)).filter(|usage| usage.start > text.end);
        let usage = usage.unwrap_or(data.len()..data.len());
        let numbers = numbers(data, usage.clone())?;
        Some(Self { data, text, usage, numbers, is_settled })
    }

    /// The text and usage of a chunk that matches this template.
    pub(super) fn of_match<'b>(&self, data: &'b [u8]) -> Option<Match<'b>> {
        let Self { data: known, text, usage, numbers, .. } = self;
        let inside = data.strip_prefix(known.get(..text.start)?)?;
        let (text_found, mut rest) = inside.split_at_checked(end_of_text(inside)?)?;
        let mut at = text.end;
        let before = usage.start.checked_sub(at)?;
        let from = rest.get(before..)?;
        for number in numbers {
            rest = rest.strip_prefix(known.get(at..number.start)?)?;
            rest = rest.get(length_of_number(rest)?..)?;
            at = number.end;
        }
        // The usage ends where as many bytes are left as follow it in the template.
        let after = known.len() - usage.end;
        let used = from.get(..from.len().checked_sub(after)?)?;
        (rest == known.get(at..)?).then_some(())?;
        Some(Match { text: str::from_utf8(text_found).ok()?, usage: used })
    }
}

/// The places of the whole numbers that are values in this range. `None` if there are too many.
fn numbers(data: &[u8], within: Range<usize>) -> Option<Vec<Range<usize>>> {
    let data = data.get(..within.end)?;
    let mut at = within.start;
    let mut numbers = Vec::new();
    while let Some(byte) = data.get(at) {
        at = match byte {
            b'"' => end_of_string(data, at + 1),
            b'0'..=b'9' => {
                let end = at + length_of_digits(data.get(at..)?);
                let is_whole = !matches!(data.get(end), Some(b'.' | b'e' | b'E'));
                if is_whole && numbers.len() == MOST_NUMBERS {
                    return None;
                }
                if is_whole {
                    numbers.push(at..end);
                    end
                } else {
                    end + data
                        .get(end..)?
                        .iter()
                        .take_while(|byte| !matches!(byte, b',' | b'}' | b']'))
                        .count()
                }
            }
            _ => at + 1,
        };
    }
    Some(numbers)
}

fn length_of_digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length of a whole number, without a sign.
fn length_of_number(bytes: &[u8]) -> Option<usize> {
    let length = length_of_digits(bytes);
    (length == 1 || length > 1 && bytes.first() != Some(&b'0')).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: &str = r#"{"a":[{"text":"x1"}],"n":1,"usage": {"p": 12,"q": -3,"f": 0.5,"d5": [{"m": "T6","c": 0}]},"id":"7"}"#;
    const USAGE: &str = r#"{"p": 12,"q": -3,"f": 0.5,"d5": [{"m": "T6","c": 0}]}"#;

    fn matched(data: &str) -> Option<(&str, &str)> {
        let text = &CHUNK[15..17];
        let start = CHUNK.find(USAGE).unwrap();
        let usage: &RawValue = serde_json::from_str(&CHUNK[start..start + USAGE.len()]).unwrap();
        let template = TextTemplate::of(CHUNK.as_bytes(), text, Some(usage), true).unwrap();
        let found = template.of_match(data.as_bytes())?;
        Some((found.text, str::from_utf8(found.usage).unwrap()))
    }

    #[test]
    fn chunks_match_if_only_the_text_and_numbers_of_the_usage_differ() {
        assert_eq!(matched(CHUNK), Some(("x1", USAGE)));
        let (usage, text) =
            (r#"{"p": 0,"q": -10,"f": 0.5,"d5": [{"m": "T6","c": 12345}]}"#, r#"é \" \u0041"#);
        let other = CHUNK.replace("x1", text).replace(USAGE, usage);
        assert_eq!(matched(&other), Some((text, usage)));
    }

    #[test]
    fn anything_else_is_no_match() {
        for (from, to) in [
            ("\"p\"", "\"P\""),
            ("12", ""),
            ("12", "012"),
            ("12", "1.2"),
            ("12", "\"12\""),
            ("12", "1 2"),
            ("-3", "3"),
            ("0.5", "0.6"),
            ("T6", "T7"),
            ("d5", "d6"),
            ("\"n\":1", "\"n\":2"),
            ("\"7\"", "\"8\""),
            ("x1", "x\n"),
            ("x1", r"x\x"),
            ("x1", "x\",\"t\":\""),
            ("}", ""),
            ("0}]}", "0}]},\"z\":1"),
        ] {
            assert_eq!(matched(&CHUNK.replace(from, to)), None, "{from} {to}");
        }
        assert_eq!(matched(""), None);
        assert_eq!(matched(&CHUNK[..CHUNK.len() - 1]), None);
    }
}
