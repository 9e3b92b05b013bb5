//! Streams of one JSON object per line, as some compatible servers send them.

use memchr::memchr;

use super::end_marker::EndMarker;
use super::json::lenient::is_readable;

/// The non-empty lines of a body, trimmed.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body) }
    }

    /// The number of bytes left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            if !line.trim_ascii().is_empty() {
                return Some(line.trim_ascii());
            }
        }
        None
    }
}

/// Whether a media type is newline-delimited JSON.
pub(crate) fn is_media_type(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
        "application/stream+json",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether there are several lines and each is a JSON object or the end marker. The last one may be
/// cut off.
pub(crate) fn looks_like_lines(body: &[u8], end_marker: EndMarker) -> bool {
    let is_object = |line: &[u8]| line.starts_with(b"{") && is_readable(line);
    let mut lines = Lines::new(body);
    if !lines.next().is_some_and(is_object) {
        return false;
    }
    let mut has_more = false;
    while let Some(line) = lines.next() {
        has_more = true;
        let is_cut = || line.starts_with(b"{") && lines.rest.trim_ascii().is_empty();
        if !(is_object(line) || end_marker.is(line) || is_cut()) {
            return false;
        }
    }
    has_more
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: EndMarker = EndMarker(Some("[END]"));

    #[test]
    fn several_lines_of_an_object_each_are_a_stream_and_other_json_is_not() {
        for stream in ["{}\n{}", "{\"a\":1}\r\n\n {\"b\":NaN}\n{\"c", "\u{feff}{}\n[END]\n"] {
            assert!(looks_like_lines(stream.as_bytes(), END), "{stream}");
        }
        for other in [
            "",
            "{}",
            "{}\n",
            "{\n\"a\":1}",
            "{\n{}",
            "{}\n[1]",
            "{}\n{\n{}",
            "[1]\n[2]",
            "{}\n[DONE]",
            "{}\nx",
        ] {
            assert!(!looks_like_lines(other.as_bytes(), END), "{other}");
        }
    }

    #[test]
    fn media_types_of_lines_are_known_in_any_case() {
        for name in ["application/x-ndjson", "Application/JSONL", "application/stream+json"] {
            assert!(is_media_type(name), "{name}");
        }
        assert!(!is_media_type("application/json") && !is_media_type("application/stream"));
    }

    #[test]
    fn lines_come_without_white_space_and_say_how_much_is_left() {
        let mut lines = Lines::new(b" {} \r\n\r\n{\"a\":1}");
        assert_eq!((lines.next(), lines.left()), (Some(&b"{}"[..]), 9));
        assert_eq!((lines.next(), lines.left()), (Some(&b"{\"a\":1}"[..]), 0));
        assert_eq!(lines.next(), None);
    }

    /// If each line searched the white space at the end, this would take hours.
    #[test]
    fn many_lines_before_much_white_space_are_looked_at_once() {
        let mut body = "{}\n".repeat(100_000);
        body.push_str(&" ".repeat(4_000_000));
        assert!(looks_like_lines(body.as_bytes(), END));
        assert!(!looks_like_lines(&[body.as_bytes(), b"x"].concat(), END));
    }
}
