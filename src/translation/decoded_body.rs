//! A recorded body with its content codings undone.

use std::time::Instant;

use bytes::Bytes;
use memchr::memmem;

use super::context::BodyContext;
use super::effort::Effort;
use crate::codec::content_encoding::{Decoded, decode};
use crate::codec::end_marker::EndMarker;
use crate::codec::frames::looks_like_frames;
use crate::codec::framing::Framing;
use crate::codec::json::lenient;
use crate::codec::json::{Fields, Node};
use crate::codec::sse::looks_like_events;
use crate::codec::{allowance, frames, json, ndjson};
use crate::exchange::{Head, Mark, MediaType, RecordedMessage};
use crate::stats::Losses;

pub(crate) struct DecodedBody<'m> {
    pub(crate) head: &'m Head,
    pub(crate) bytes: Bytes,
    /// The last bytes of a body, if `bytes` has only its beginning and the middle was not recorded.
    pub(crate) tail: Vec<u8>,
    /// The body ended by itself.
    pub(crate) has_end: bool,
    /// The number of bytes on the wire.
    pub(crate) passed: u64,
    limit: usize,
    marks: &'m [Mark],
    pub(crate) losses: Losses,
}

/// Names that some servers and proxies send as a coding although they are none.
const NO_CODINGS: [&str; 5] = ["none", "identity", "null", "utf-8", "utf8"];

/// The maximum number of codings that are tried one by one.
const MAX_CODINGS: usize = 4;

impl<'m> DecodedBody<'m> {
    /// `None` if the allowance is exhausted.
    pub(crate) fn of(message: &'m mut RecordedMessage, reading: &BodyContext) -> Option<Self> {
        if !allowance::examine(message.body.len()) {
            return None;
        }
        let limit = reading.budget.body_limit();
        let has_end = message.is_complete();
        let kept = message.body.join(reading.budget);
        if reading.effort != Effort::Try {
            // The body is not read again, so its pieces need not stay in memory beside the result.
            message.body.pieces.clear();
        }
        let RecordedMessage { head, body } = &*message;
        let passed = body.passed;
        let is_longer = passed > kept.len() as u64;
        let end_marker = reading.operation.spec().end_marker;
        let decoded = decode_leniently(kept.clone(), &head.codings, end_marker, |body, codings| {
            decode(body, codings, limit, &mut |bytes| reading.charge(bytes))
        });
        if allowance::is_exhausted() {
            return None;
        }
        let is_undecodable = decoded.is_none();
        let Decoded { body: bytes, is_cut } = decoded.unwrap_or_default();
        // In an encoded body, neither the times nor the tail can be matched to decoded bytes.
        let is_plain = bytes.as_ptr() == kept.as_ptr() && !bytes.is_empty();
        let marks = if is_plain { &*body.marks } else { &[] };
        let tail = body.tail.as_ref().filter(|_| is_plain).map(|tail| tail.to_bytes()).unwrap_or_default();
        let losses = Losses { is_truncated: is_longer || is_cut, is_undecodable, ..Losses::default() };
        Some(Self { head, bytes, tail, has_end, passed, limit, marks, losses })
    }

    /// When the byte before this offset passed.
    pub(crate) fn moment(&self, offset: u64) -> Option<Instant> {
        let place = self.marks.partition_point(|mark| mark.passed < offset);
        self.marks.get(place).map(|mark| mark.at)
    }

    /// The `truncated` mark for the report.
    pub(crate) fn truncated(&self) -> Fields<'static> {
        let mut truncated = Fields::default();
        truncated.set("bytes", Node::number(self.passed));
        // A body that was interrupted did not reach the limit.
        if self.losses.is_truncated {
            truncated.set("limit", Node::number(self.limit as u64));
        }
        truncated
    }

    /// Whether the media type is newline-delimited JSON.
    pub(crate) fn is_ndjson(&self) -> bool {
        matches!(&self.head.media_type, MediaType::Other(name) if ndjson::is_media_type(name))
    }

    /// Whether the media type is that of a binary event stream.
    pub(crate) fn has_frames(&self) -> bool {
        matches!(&self.head.media_type, MediaType::Other(name) if frames::is_media_type(name))
    }

    /// The complete pieces of the recorded tail.
    pub(crate) fn pieces_of_tail(&self, framing: Framing) -> &[u8] {
        let begin = match framing {
            Framing::Frames => frames::first_in(&self.tail),
            Framing::Events | Framing::Lines => memchr::memchr2(b'\n', b'\r', &self.tail),
            // Strings hold no line feeds, and the lines inside an element are indented.
            Framing::Array => memmem::find(&self.tail, b"\n{"),
        };
        begin.and_then(|begin| self.tail.get(begin..)).unwrap_or_default()
    }
}

/// Undoes content codings, and tolerates a wrong header: some proxies decode a body and keep its
/// header, or name a coding twice.
///
/// If the decoded body is neither JSON nor a stream, the codings that do not fit are skipped. If
/// that does not help either, the body is used as received, provided it is readable. Bare deflate
/// has no header and no checksum, so any bytes can be decoded from it.
fn decode_leniently(
    received: Bytes,
    codings: &str,
    end_marker: EndMarker,
    decode: impl Fn(Bytes, &str) -> Option<Decoded>,
) -> Option<Decoded> {
    let decoded = decode(received.clone(), codings);
    let is_right = |Decoded { body, .. }: &Decoded| {
        begins_like_json(body) || looks_like_events(body, end_marker) || looks_like_frames(body)
    };
    if codings.is_empty() || decoded.as_ref().is_some_and(is_right) {
        return decoded;
    }
    let mut fitting = Decoded { body: received.clone(), is_cut: false };
    let mut all_fit = true;
    if decoded.is_none() || codings.contains(',') {
        let tokens = codings.rsplit(',').map(str::trim).filter(|token| !token.is_empty());
        for (place, token) in tokens.enumerate() {
            if NO_CODINGS.iter().any(|name| token.eq_ignore_ascii_case(name)) {
                continue;
            }
            let more = if place < MAX_CODINGS { decode(fitting.body.clone(), token) } else { None };
            match more.filter(|more| !more.body.is_empty()) {
                Some(Decoded { body, is_cut }) => {
                    fitting = Decoded { body, is_cut: fitting.is_cut || is_cut };
                }
                None => all_fit = false,
            }
        }
        if is_readable(&fitting.body, end_marker) || decoded.is_none() && all_fit {
            return Some(fitting);
        }
    }
    if is_readable(&received, end_marker) {
        return Some(Decoded { body: received, is_cut: false });
    }
    decoded
}

/// Whether bytes are JSON, the beginning of JSON, or a stream.
fn is_readable(bytes: &[u8], end_marker: EndMarker) -> bool {
    let is_json = || {
        json::parse(bytes).is_some() || lenient::read(&lenient::text(bytes)).is_some_and(|read| read.end > 0)
    };
    looks_like_events(bytes, end_marker)
        || looks_like_frames(bytes)
        || begins_like_json(bytes) && (is_json() || ndjson::looks_like_lines(bytes, end_marker))
}

/// Whether bytes begin like a JSON object or array.
pub(crate) fn begins_like_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}
