//! Splits a `text/event-stream` into events (WHATWG HTML standard, section 9.2).

use std::borrow::Cow;

use memchr::memchr2;

use super::end_marker::EndMarker;

/// The events of a stream that is completely in memory.
///
/// Lines may end in LF, CRLF or CR. Unlike the standard, it also yields an event that is cut off
/// before its blank line, so that all received data is reported.
#[derive(Debug)]
pub(crate) struct Events<'a> {
    rest: &'a [u8],
    /// Each line with data is an event.
    by_line: bool,
}

/// One event with data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The last `event` field; empty if there was none.
    pub(crate) name: &'a [u8],
    /// The `data` fields, joined by line feeds.
    pub(crate) data: Cow<'a, [u8]>,
}

impl<'a> Event<'a> {
    pub(crate) fn new(name: &'a [u8], data: Cow<'a, [u8]>) -> Self {
        Self { name, data }
    }
}

impl<'a> Events<'a> {
    pub(crate) fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream), by_line: false }
    }

    /// Yields each line with data of one event as its own event. An event's name belongs to the
    /// next line with data.
    pub(crate) fn by_line(event: &'a [u8]) -> Self {
        Self { rest: event, by_line: true }
    }

    /// The unread bytes.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The number of bytes left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    fn next_line(&mut self) -> Option<&'a [u8]> {
        // In most streams, every other line is empty.
        if let [b'\n', rest @ ..] = self.rest {
            self.rest = rest;
            return Some(b"");
        }
        if self.rest.is_empty() {
            return None;
        }
        let Some(end) = memchr2(b'\n', b'\r', self.rest) else {
            return Some(std::mem::take(&mut self.rest));
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\r\n").or(rest.get(1..)).unwrap_or_default();
        Some(line)
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let mut name: &[u8] = b"";
        let mut data: Option<Cow<'a, [u8]>> = None;
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                match data.take() {
                    Some(data) => return Some(Event::new(name, data)),
                    None => name = b"",
                }
            } else if let Some(value) = field(line, b"data") {
                match &mut data {
                    None if self.by_line => return Some(Event::new(name, Cow::Borrowed(value))),
                    None => data = Some(Cow::Borrowed(value)),
                    Some(data) => {
                        let data = data.to_mut();
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                }
            } else if let Some(value) = field(line, b"event") {
                name = value;
            }
        }
        data.map(|data| Event::new(name, data))
    }
}

/// Whether bytes begin like an event stream, whatever their content type.
pub(crate) fn looks_like_events(bytes: &[u8], end_marker: EndMarker) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let has_field =
        [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| start.starts_with(field));
    // A plain text may begin like an event stream too.
    let is_json =
        |event: Event<'_>| event.data.trim_ascii_start().starts_with(b"{") || end_marker.is(&event.data);
    has_field && Events::new(bytes).find(|event| !event.data.is_empty()).is_none_or(is_json)
}

/// The value of a line, if it belongs to that field. One space after the colon is skipped.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(b""),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
