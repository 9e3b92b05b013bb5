//! A recorded body, as the JSON that is reported for it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::mem;
use std::time::Instant;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::assembly::Assembly;
use super::chunk::Progress;
use super::decode::{Decoded, decode};
use super::json::{self, Fields, Node};
use super::multipart;
use super::responses::{self, Chat};
use super::sse::{Events, looks_like_events};
use crate::budget::Budget;
use crate::endpoint::Endpoint;
use crate::exchange::{Head, Mark, MediaType, Message};
use crate::interaction::Text;
use crate::stats::Losses;

/// How the bodies of an exchange are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) endpoint: Endpoint,
    /// Says how much of a decoded body is kept, and takes back what bodies were copied into.
    pub(super) budget: &'a Budget,
    /// Whether the Responses API is translated.
    pub(super) is_translated: bool,
}

/// One side of an exchange.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) json: Text,
    /// What else there is to say of an event stream.
    pub(super) stream: Option<Stream>,
    pub(super) losses: Losses,
    /// It crossed the wire, or was made of what did.
    pub(super) is_sent: bool,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Whether it said by itself that it is whole.
    pub(super) is_done: bool,
    /// Whether every choice has a finish reason.
    pub(super) is_finished: bool,
    /// Whether it carried an error.
    pub(super) has_error: bool,
    /// Events with data, without the one that ends it.
    pub(super) chunks: u64,
    /// When the first text, tool call, refusal or reasoning passed.
    pub(super) first_token: Option<Instant>,
}

/// A body that can be read.
struct Read {
    head: Head,
    bytes: Bytes,
    /// How many bytes crossed the wire.
    passed: u64,
    limit: usize,
    marks: Vec<Mark>,
    losses: Losses,
}

/// A field that the console reaches for without looking whether it is there: it stands in whatever replaces a body.
type Expected = Option<(&'static str, &'static str)>;

/// The length of a text up to which it is reported as a transcription: bytes that are no text take six times as much.
const MOST_TEXT: usize = 4 * 1024 * 1024;

const CHOICES: Expected = Some(("choices", "[]"));

/// What was asked.
pub(super) fn of_request(reading: &Reading, message: Message) -> Content {
    let expected = match reading.endpoint {
        Endpoint::Chat | Endpoint::Responses => Some(("messages", "[]")),
        Endpoint::Completion => Some(("prompt", "\"\"")),
        endpoint if endpoint.is_image() => Some(("prompt", "\"\"")),
        _ => None,
    };
    let text = Read::of(message, reading);
    if let MediaType::Form(content_type) = &text.head.media_type
        && !matches!(reading.endpoint, Endpoint::Chat | Endpoint::Completion | Endpoint::Responses)
        && !text.losses.is_truncated
        && let Some(form) = multipart::fields(content_type, &text.bytes)
    {
        return Content::of_text(form);
    }
    let content = reading.unstreamed(&text, expected);
    reading.translated(content, responses::question)
}

/// What was answered.
pub(super) fn of_response(reading: &Reading, message: Message) -> Content {
    let text = Read::of(message, reading);
    let is_json = matches!(text.bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    let says_events =
        text.head.media_type == MediaType::EventStream && !is_json && !text.losses.is_undecodable;
    if says_events || looks_like_events(&text.bytes) {
        return streamed(reading, &text);
    }
    let transcript = reading.transcript(&text);
    let content = transcript.unwrap_or_else(|| reading.unstreamed(&text, reading.expected()));
    reading.translated(content, responses::answer)
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

fn streamed(reading: &Reading, text: &Read) -> Content {
    // Data that cannot be read where it stands has to be put somewhere that outlives the assembly. It is rare.
    let is_utf8 = json::is_utf8(&text.bytes);
    let (mended, mut left) = (OnceCell::new(), None);
    let mut assembly = Assembly::of(reading.endpoint);
    let mut events = Events::new(&text.bytes);
    let mut first_token = None;
    while let Some(event) = events.next() {
        let data = match event.data {
            Cow::Borrowed(data) if is_utf8 || json::is_utf8(data) => data,
            _ => {
                let left =
                    left.get_or_insert_with(|| mended.get_or_init(|| mend(&text.bytes, is_utf8)).iter());
                left.next().map(Vec::as_slice).unwrap_or_default()
            }
        };
        assembly.add(event.name, data);
        if assembly.progress.has_token && first_token.is_none() {
            first_token = Some((text.bytes.len() - events.left()) as u64);
        }
    }
    if text.losses.is_truncated {
        assembly.mark_truncated(text.truncated());
    }
    let Progress { is_done, is_finished, has_error, chunks, skipped, .. } = assembly.progress();
    let first_token = first_token.and_then(|end| text.moment(end));
    let stream = Stream { is_done, is_finished, has_error, chunks, first_token };
    let losses = Losses { skipped, ..text.losses };
    let content = Content {
        stream: Some(stream),
        losses,
        is_sent: true,
        ..Content::of_text(assembly.finish(reading.endpoint))
    };
    reading.translated(content, responses::answer)
}

impl Reading<'_> {
    /// What consoles reach for in an answer.
    fn expected(&self) -> Expected {
        match self.endpoint {
            Endpoint::Chat | Endpoint::Completion | Endpoint::Responses => CHOICES,
            endpoint if endpoint.is_image() => Some(("data", "[]")),
            _ => None,
        }
    }

    /// A body that is one JSON value, or what stands for it.
    fn unstreamed(&self, text: &Read, expected: Expected) -> Content {
        if !text.losses.is_truncated
            && let Some(raw) = json::parse(&text.bytes)
        {
            // What nobody takes apart is passed on as it is.
            let json = if self.endpoint == Endpoint::Responses || self.endpoint.is_image() {
                Text::Own(raw.to_owned())
            } else {
                Text::Received(text.bytes.slice_ref(raw.get().as_bytes()))
            };
            return Content { json, stream: None, losses: text.losses, is_sent: true };
        }
        let mut fields = Fields::default();
        if text.losses.is_truncated {
            fields.set("truncated", text.truncated());
        } else {
            fields.set("contentType", text.head.media_type.name().map_or(Node::NULL, Node::string));
            fields.set("bytes", Node::number(text.passed));
        }
        Content { losses: text.losses, ..Content::unstreamed(fields, expected) }
    }

    /// A transcription that was asked for as text, subtitles or captions, in the shape of one in JSON.
    fn transcript(&self, text: &Read) -> Option<Content> {
        let is_text = match text.head.media_type.name() {
            None => true,
            Some(name) => name.starts_with("text/") && name != "text/html" || name == "application/x-subrip",
        };
        let is_json = matches!(text.bytes.trim_ascii_start().first(), Some(b'{' | b'['));
        let is_lost = text.losses.is_truncated || text.losses.is_undecodable;
        if !matches!(self.endpoint, Endpoint::Transcription | Endpoint::Translation)
            || !is_text
            || is_json
            || is_lost
            || text.bytes.len() > MOST_TEXT
        {
            return None;
        }
        let mut fields = Fields::default();
        fields.set("text", Node::string(&String::from_utf8_lossy(&text.bytes)));
        Some(Content { losses: text.losses, ..Content::of_text(fields.to_json()) })
    }

    /// The Responses API as a chat, if it is to be one.
    fn translated(&self, content: Content, chat_of: impl Fn(&RawValue) -> Option<Chat>) -> Content {
        if self.endpoint != Endpoint::Responses || !self.is_translated {
            return content;
        }
        let Some(Chat { json, is_truncated }) = chat_of(&content.json.raw()) else { return content };
        let losses = content.losses.and(Losses { is_truncated, ..Losses::default() });
        Content { losses, stream: content.stream, is_sent: content.is_sent, ..Content::of_text(json) }
    }
}

/// The data of those events that have several lines, or are not UTF-8: then with replacement characters, as the standard has
/// it.
fn mend(stream: &[u8], is_utf8: bool) -> Vec<Vec<u8>> {
    let mended = Events::new(stream).filter_map(|event| match event.data {
        Cow::Borrowed(data) if is_utf8 || json::is_utf8(data) => None,
        data => Some(String::from_utf8_lossy(&data).into_owned().into_bytes()),
    });
    mended.collect()
}

impl Read {
    fn of(message: Message, reading: &Reading) -> Self {
        let limit = reading.budget.body_limit();
        let Message { head, mut body } = message;
        // Of an encoded body nobody knows which of its bytes an event came with.
        let marks = if head.codings.is_empty() { mem::take(&mut body.marks) } else { Vec::new() };
        let passed = body.passed;
        let kept = body.into_bytes(reading.budget);
        let is_incomplete = passed > kept.len() as u64;
        let decoded = decode(kept, &head.codings, limit);
        let is_undecodable = decoded.is_none();
        let Decoded { body: bytes, is_cut } = decoded.unwrap_or_default();
        let is_truncated = is_incomplete || is_cut;
        let losses = Losses { is_truncated, is_undecodable, ..Losses::default() };
        Self { head, bytes, passed, limit, marks, losses }
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
    /// Whether it has fields that were sent: an error, if the status says so. Compatible servers have many shapes for one.
    pub(super) fn says_something(&self) -> bool {
        let has_fields = |raw: &RawValue| json::object(raw).is_some_and(|fields| !fields.is_empty());
        let whole = self.json.raw();
        let first = json::array(&whole).and_then(|elements| elements.first().copied());
        self.is_sent && first.map_or_else(|| has_fields(&whole), has_fields)
    }

    fn unstreamed(mut fields: Fields<'_>, expected: Expected) -> Self {
        if let Some((key, empty)) = expected {
            fields.set(key, Node::Literal(empty.into()));
        }
        Self::of_text(fields.to_json())
    }

    /// Text that was put together here is valid JSON; null stands where that should ever prove wrong.
    fn of_text(text: String) -> Self {
        let json = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { json: Text::Own(json), stream: None, losses: Losses::default(), is_sent: false }
    }
}
