//! A recorded body, as the JSON that is reported for it.

use std::borrow::Cow;
use std::mem;
use std::time::Instant;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::assembly::Assembly;
use super::chunk::Progress;
use super::decode::{Decoded, decode};
use super::json::{self, Fields, Node};
use super::multipart;
use super::responses;
use super::sse::{Event, Events, looks_like_events};
use crate::endpoint::Endpoint;
use crate::exchange::{Head, Mark, MediaType, Message};

/// How the bodies of an exchange are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) endpoint: Endpoint,
    /// How many bytes of a decoded body are kept.
    pub(super) limit: usize,
    /// Whether the Responses API is translated.
    pub(super) is_translated: bool,
}

/// One side of an exchange.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) json: Box<RawValue>,
    /// What else there is to say of an event stream.
    pub(super) stream: Option<Stream>,
    /// Whether there was more than is reported.
    pub(super) is_truncated: bool,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Whether it said by itself that it is whole.
    pub(super) is_done: bool,
    /// Whether it carried an error.
    pub(super) has_error: bool,
    /// Events with data, without the one that ends it.
    pub(super) chunks: u64,
    /// When the first text, tool call, refusal or reasoning passed.
    pub(super) first_token: Option<Instant>,
}

/// A body that can be read.
struct Text {
    head: Head,
    bytes: Bytes,
    /// How many bytes crossed the wire.
    passed: u64,
    limit: usize,
    marks: Vec<Mark>,
    /// There was more than the limit allows for.
    is_truncated: bool,
    /// All of its codings are known.
    is_readable: bool,
}

/// A field that the console reaches for without looking whether it is there: it stands in whatever replaces a body.
type Expected = Option<(&'static str, &'static str)>;

const CHOICES: Expected = Some(("choices", "[]"));

/// What was asked.
pub(super) fn of_request(reading: &Reading, message: Message) -> Content {
    let expected = match reading.endpoint {
        Endpoint::Chat | Endpoint::Responses => Some(("messages", "[]")),
        Endpoint::Completion => Some(("prompt", "\"\"")),
        endpoint if endpoint.is_image() => Some(("prompt", "\"\"")),
        _ => None,
    };
    let text = Text::of(message, reading.limit);
    if let MediaType::Form(content_type) = &text.head.media_type
        && !matches!(reading.endpoint, Endpoint::Chat | Endpoint::Completion | Endpoint::Responses)
        && !text.is_truncated
        && let Some(form) = multipart::fields(content_type, &text.bytes)
    {
        return Content::of_text(form);
    }
    let content = unstreamed(&text, expected);
    Content { json: reading.question(content.json), ..content }
}

/// What was answered.
pub(super) fn of_response(reading: &Reading, message: Message) -> Content {
    let text = Text::of(message, reading.limit);
    let is_json = matches!(text.bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    let says_events = text.head.media_type == MediaType::EventStream && !is_json && text.is_readable;
    if looks_like_events(&text.bytes) || says_events {
        return streamed(reading, &text);
    }
    let content = unstreamed(&text, reading.expected());
    Content { json: reading.answer(content.json), ..content }
}

/// An error of our own, in the shape of OpenAI's.
pub(super) fn of_error(reading: &Reading, kind: &str, message: &str) -> Content {
    let mut error = Fields::default();
    error.set("type", Node::string(kind));
    error.set("message", Node::string(message));
    let mut fields = Fields::default();
    fields.set("error", Node::Object(error));
    Content::unstreamed(fields, reading.expected())
}

/// What stands for an answer that never came.
pub(super) fn of_no_response(reading: &Reading) -> Content {
    Content::unstreamed(Fields::default(), reading.expected())
}

fn streamed(reading: &Reading, text: &Text) -> Content {
    // Data that cannot be read where it stands has to be put somewhere that outlives the assembly. It is rare.
    let mended: Vec<Vec<u8>> = Events::new(&text.bytes).filter_map(mend).collect();
    let mut mended = mended.iter();
    let mut assembly = Assembly::of(reading.endpoint);
    let mut events = Events::new(&text.bytes);
    let mut first_token = None;
    while let Some(event) = events.next() {
        let name = event.name;
        match event.data {
            Cow::Borrowed(data) if str::from_utf8(data).is_ok() => assembly.add(name, data),
            _ => assembly.add(name, mended.next().map(Vec::as_slice).unwrap_or_default()),
        }
        if assembly.progress.has_token && first_token.is_none() {
            first_token = Some((text.bytes.len() - events.left()) as u64);
        }
    }
    if text.is_truncated {
        assembly.mark_truncated(text.truncated());
    }
    let Progress { is_done, has_error, chunks, .. } = assembly.progress;
    let stream =
        Stream { is_done, has_error, chunks, first_token: first_token.and_then(|end| text.moment(end)) };
    let content = Content::of_text(assembly.finish(reading.endpoint));
    let json = reading.answer(content.json);
    Content { json, stream: Some(stream), is_truncated: text.is_truncated }
}

impl Reading {
    /// What consoles reach for in an answer.
    fn expected(&self) -> Expected {
        match self.endpoint {
            Endpoint::Chat | Endpoint::Completion | Endpoint::Responses => CHOICES,
            endpoint if endpoint.is_image() => Some(("data", "[]")),
            _ => None,
        }
    }

    /// A request in the shape that is reported.
    fn question(&self, json: Box<RawValue>) -> Box<RawValue> {
        self.translated(json, responses::question)
    }

    /// An answer in the shape that is reported.
    fn answer(&self, json: Box<RawValue>) -> Box<RawValue> {
        self.translated(json, responses::answer)
    }

    fn translated(
        &self,
        json: Box<RawValue>,
        translate: impl Fn(&RawValue) -> Option<String>,
    ) -> Box<RawValue> {
        if self.endpoint != Endpoint::Responses || !self.is_translated {
            return json;
        }
        translate(&json).and_then(|text| RawValue::from_string(text).ok()).unwrap_or(json)
    }
}

/// The data of an event, if it has several lines, or is not UTF-8: then with replacement characters, as the standard
/// has it.
fn mend(event: Event<'_>) -> Option<Vec<u8>> {
    match event.data {
        Cow::Borrowed(data) if str::from_utf8(data).is_ok() => None,
        data => Some(String::from_utf8_lossy(&data).into_owned().into_bytes()),
    }
}

fn unstreamed(text: &Text, expected: Expected) -> Content {
    if !text.is_truncated
        && let Some(raw) = json::parse(&text.bytes)
    {
        return Content { json: raw.to_owned(), stream: None, is_truncated: false };
    }
    let mut fields = Fields::default();
    if text.is_truncated {
        fields.set("truncated", text.truncated());
    } else {
        fields.set("contentType", text.head.media_type.name().map_or(Node::NULL, Node::string));
        fields.set("bytes", Node::number(text.passed));
    }
    Content { is_truncated: text.is_truncated, ..Content::unstreamed(fields, expected) }
}

impl Text {
    fn of(message: Message, limit: usize) -> Self {
        let Message { head, mut body } = message;
        // Of an encoded body nobody knows which of its bytes an event came with.
        let marks = if head.codings.is_empty() { mem::take(&mut body.marks) } else { Vec::new() };
        let passed = body.passed;
        let kept = body.into_bytes();
        let is_incomplete = passed > kept.len() as u64;
        let decoded = decode(kept, &head.codings, limit);
        let is_readable = decoded.is_some();
        let Decoded { body: bytes, is_cut } = decoded.unwrap_or_default();
        Self { head, bytes, passed, limit, marks, is_truncated: is_incomplete || is_cut, is_readable }
    }

    /// When the byte before this offset passed.
    fn moment(&self, offset: u64) -> Option<Instant> {
        let place = self.marks.partition_point(|mark| mark.passed < offset);
        self.marks.get(place).map(|mark| mark.at)
    }

    fn truncated(&self) -> Node<'static> {
        let mut truncated = Fields::default();
        truncated.set("bytes", Node::number(self.passed));
        truncated.set("limit", Node::number(self.limit as u64));
        Node::Object(truncated)
    }
}

impl Content {
    /// Whether it has an error as a field.
    pub(super) fn has_error_field(&self) -> bool {
        json::object(&self.json).is_some_and(|fields| fields.iter().any(|(key, _)| key == "error"))
    }

    fn unstreamed(mut fields: Fields<'_>, expected: Expected) -> Self {
        if let Some((key, empty)) = expected {
            fields.set(key, Node::Literal(empty.into()));
        }
        let mut text = String::new();
        fields.write(&mut text);
        Self::of_text(text)
    }

    /// Text that was put together here is valid JSON; null stands where that should ever prove wrong.
    fn of_text(text: String) -> Self {
        let json = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { json, stream: None, is_truncated: false }
    }
}
