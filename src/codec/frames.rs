//! Splits a binary event stream (`application/vnd.amazon.eventstream`) into frames.
//!
//! A frame (AWS calls it a message) is its length, the length of its headers, a checksum of both, the
//! headers, the payload, and a checksum of everything before. Numbers are big-endian, checksums
//! CRC-32.

use std::borrow::Cow;

use super::json::{Fields, Node};
use super::sse::Event;

/// The frames of a stream that is completely in memory.
///
/// A wrong checksum, a false length or a cut frame ends them, because the next frame cannot be found.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    rest: &'a [u8],
    is_broken: bool,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: FrameKind,
    /// The type of an event or exception, or the code of an error.
    pub(crate) name: &'a [u8],
    /// The message of an error. Exceptions have theirs in the payload.
    message: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// The kinds of messages. Any unknown kind is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Event,
    /// An error that the service models.
    Exception,
    /// Any other error. Its frame has no payload.
    Error,
}

/// The length of the fields before the headers.
const PRELUDE: usize = 12;

/// The length of the fields around headers and payload.
const AROUND: usize = PRELUDE + 4;

/// The longest headers and payload that clients of this format accept.
const LONGEST_HEADERS: usize = 128 * 1024;
const LONGEST_PAYLOAD: usize = 24 * 1024 * 1024;

impl<'a> Frames<'a> {
    pub(crate) fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream, is_broken: false }
    }

    /// The number of bytes left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether the stream went on with bytes that are not a frame.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.is_broken || self.rest.is_empty() {
            return None;
        }
        let Some((frame, rest)) = split(self.rest) else {
            self.is_broken = true;
            return None;
        };
        self.rest = rest;
        Some(frame)
    }
}

impl<'a> Frame<'a> {
    /// `None` if the headers are malformed.
    fn of(headers: &'a [u8], payload: &'a [u8]) -> Option<Self> {
        let (mut event, mut exception, mut code): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
        let mut kind = FrameKind::Event;
        let mut message: &[u8] = b"";
        let mut rest = headers;
        while !rest.is_empty() {
            let (name, text) = next_header(&mut rest)?;
            match name {
                b":message-type" => {
                    kind = match text {
                        b"exception" => FrameKind::Exception,
                        b"error" => FrameKind::Error,
                        _ => FrameKind::Event,
                    }
                }
                b":event-type" => event = text,
                b":exception-type" => exception = text,
                b":error-code" => code = text,
                b":error-message" => message = text,
                _ => {}
            }
        }
        let name = match kind {
            FrameKind::Event => event,
            FrameKind::Exception => exception,
            FrameKind::Error => code,
        };
        Some(Self { kind, name, message, payload })
    }

    /// The payload. For an error without one, its message as an object.
    pub(crate) fn data(&self) -> Cow<'a, [u8]> {
        if self.kind != FrameKind::Error {
            return self.payload.into();
        }
        let mut fields = Fields::default();
        fields.set("message", Node::string(&String::from_utf8_lossy(self.message)));
        fields.to_json().into_bytes().into()
    }
}

impl<'a> From<Frame<'a>> for Event<'a> {
    fn from(frame: Frame<'a>) -> Self {
        Self { name: frame.name, data: frame.data() }
    }
}

/// Whether bytes begin with the lengths of a frame and their checksum, whatever their content type.
pub(crate) fn looks_like_frames(bytes: &[u8]) -> bool {
    prelude(bytes).is_some()
}

/// The place of the first frame in the tail of a stream. The tail may begin inside of a frame.
pub(crate) fn first_in(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|start| bytes.get(*start..).is_some_and(looks_like_frames))
}

/// Whether a media type is that of binary event streams.
pub(crate) fn is_media_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("application/vnd.amazon.eventstream")
}

/// The length of the first frame and that of its headers. `None` if the checksum is wrong, or if a
/// length is impossible.
fn prelude(stream: &[u8]) -> Option<(usize, usize)> {
    let (lengths, rest) = stream.split_first_chunk::<8>()?;
    let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let (total, headers) = (number(lengths)? as usize, number(lengths.get(4..)?)? as usize);
    let payload = total.checked_sub(AROUND)?.checked_sub(headers)?;
    let is_possible = headers <= LONGEST_HEADERS && payload <= LONGEST_PAYLOAD;
    (is_possible && number(rest)? == crc32fast::hash(lengths)).then_some((total, headers))
}

/// The first frame and the bytes after it.
fn split(stream: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (total, headers) = prelude(stream)?;
    let (frame, rest) = stream.split_at_checked(total)?;
    let (checked, checksum) = frame.split_last_chunk()?;
    if crc32fast::hash(checked) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let (headers, payload) = checked.get(PRELUDE..)?.split_at_checked(headers)?;
    Some((Frame::of(headers, payload)?, rest))
}

/// Takes the name of the next header, and its value if that is a text; any other value is empty.
fn next_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (length, after) = rest.split_first()?;
    let (name, after) = after.split_at_checked(usize::from(*length))?;
    let (kind, after) = after.split_first()?;
    let (length, after) = match kind {
        // True and false.
        0 | 1 => (0, after),
        // Integers of 8, 16, 32 and 64 bits.
        2 => (1, after),
        3 => (2, after),
        4 => (4, after),
        5 => (8, after),
        // Bytes and text.
        6 | 7 => {
            let (length, after) = after.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), after)
        }
        // A time.
        8 => (8, after),
        // A UUID.
        9 => (16, after),
        _ => return None,
    };
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((name, if *kind == 7 { value } else { b"" }))
}

#[cfg(test)]
pub(crate) mod tests;
