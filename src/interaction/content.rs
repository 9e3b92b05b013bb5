//! A recorded body, as the JSON that is reported for it.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::decode::decode;
use super::json::{self, Fields, Node};
use super::sse::{Events, looks_like_events};
use super::stream::Assembly;
use crate::endpoint::Endpoint;
use crate::exchange::{Head, Message};

/// One side of an exchange.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) json: Box<RawValue>,
    /// Whether a stream said by itself that it is whole.
    pub(super) is_done: bool,
    /// Whether a stream carried an error.
    pub(super) has_error: bool,
}

/// A body that can be read.
struct Text {
    head: Head,
    bytes: Bytes,
    /// How many bytes crossed the wire.
    passed: u64,
    /// There was more than is kept of a body.
    is_truncated: bool,
}

/// A field that the console reaches for without looking whether it is there: it stands in whatever replaces a body.
type Expected = (&'static str, &'static str);

const CHOICES: Expected = ("choices", "[]");

/// What was asked.
pub(super) fn of_request(endpoint: Endpoint, message: Message, limit: usize) -> Content {
    let expected = match endpoint {
        Endpoint::Chat => ("messages", "[]"),
        Endpoint::Completion => ("prompt", "\"\""),
    };
    unstreamed(&Text::of(message, limit), expected)
}

/// What was answered.
pub(super) fn of_response(endpoint: Endpoint, message: Message, limit: usize) -> Content {
    let text = Text::of(message, limit);
    let says_events =
        text.head.media_type().is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"));
    let is_json = matches!(text.bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    if looks_like_events(&text.bytes) || says_events && !is_json {
        return streamed(endpoint, &text.bytes);
    }
    unstreamed(&text, CHOICES)
}

/// What stands for an answer that never came.
pub(super) fn of_no_response() -> Content {
    Content::unstreamed(Fields::default(), CHOICES)
}

fn streamed(endpoint: Endpoint, stream: &[u8]) -> Content {
    // Data of several lines has to be joined somewhere that outlives the assembly. It is rare.
    let joined: Vec<Vec<u8>> = Events::new(stream)
        .filter_map(|event| match event.data {
            Cow::Owned(data) => Some(data),
            Cow::Borrowed(_) => None,
        })
        .collect();
    let mut joined = joined.iter();
    let mut assembly = Assembly::default();
    for event in Events::new(stream) {
        let data = match event.data {
            Cow::Borrowed(data) => data,
            Cow::Owned(_) => joined.next().map(Vec::as_slice).unwrap_or_default(),
        };
        assembly.add(event.name, data);
    }
    let (is_done, has_error) = (assembly.is_done, assembly.has_error);
    Content { is_done, has_error, ..Content::of_text(assembly.finish(endpoint)) }
}

fn unstreamed(text: &Text, expected: Expected) -> Content {
    let Text { head, bytes, passed, is_truncated } = text;
    if !is_truncated && let Some(raw) = json::parse(bytes) {
        return Content { json: raw.to_owned(), is_done: false, has_error: false };
    }
    let mut fields = Fields::default();
    if *is_truncated {
        let mut truncated = Fields::default();
        truncated.set("bytes", Node::number(*passed));
        truncated.set("limit", Node::number(bytes.len() as u64));
        fields.set("truncated", Node::Object(truncated));
    } else {
        fields.set("contentType", head.media_type().map_or(Node::NULL, Node::string));
        fields.set("bytes", Node::number(*passed));
    }
    Content::unstreamed(fields, expected)
}

impl Text {
    fn of(message: Message, limit: usize) -> Self {
        let Message { head, body } = message;
        let passed = body.passed;
        let kept = body.into_bytes();
        let is_cut = passed > kept.len() as u64;
        // What cannot be decoded is no text: its length is all that can be said of it.
        let bytes = decode(kept, &head.content_encoding, limit).unwrap_or_default();
        let is_truncated = is_cut || passed > 0 && bytes.len() >= limit && !head.content_encoding.is_empty();
        Self { head, bytes, passed, is_truncated }
    }
}

impl Content {
    fn unstreamed(mut fields: Fields<'_>, (key, empty): Expected) -> Self {
        fields.set(key, Node::Literal(empty.into()));
        let mut text = String::new();
        fields.write(&mut text);
        Self::of_text(text)
    }

    /// Text that was put together here is valid JSON; null stands where that should ever prove wrong.
    fn of_text(text: String) -> Self {
        let json = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { json, is_done: false, has_error: false }
    }
}
