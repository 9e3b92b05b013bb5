//! A recorded body, as the JSON that is reported for it.

use serde_json::value::RawValue;

use super::complete;
use super::complete::Expected;
use super::context::BodyContext;
use super::decoded_body::{DecodedBody, begins_like_json};
use super::effort::{Effort, TooMuch};
pub(crate) use super::streamed::Stream;
use super::streamed::streamed;
use crate::codec::allowance;
use crate::codec::framing::Framing;
use crate::codec::json::lenient;
use crate::codec::json::{self, Fields, Node};
use crate::codec::sse::looks_like_events;
use crate::codec::{multipart, ndjson};
use crate::exchange::{Answer, Head, MediaType, Message};
use crate::interaction::Text;
use crate::provider::{Convert, Converted, Shape};
use crate::stats::Losses;

/// One side of an exchange.
#[derive(Debug)]
pub(crate) struct ReportedBody {
    pub(crate) json: Text,
    /// What else there is to say of an event stream.
    pub(crate) stream: Option<Stream>,
    pub(crate) losses: Losses,
    /// It crossed the wire, or was made of what did.
    pub(crate) is_sent: bool,
    /// It is an error and nothing else.
    pub(crate) is_error: bool,
}

/// The length of a text up to which it is reported as a transcription: bytes that are no text take six times as much.
const MOST_TEXT: usize = 4 * 1024 * 1024;

/// What was asked.
pub(crate) fn of_request(reading: &BodyContext, message: &mut Message) -> Result<ReportedBody, TooMuch> {
    let expected = reading.operation.spec().request;
    reading.body(message, expected, |body| reading.request(body, expected))
}

/// What was answered.
pub(crate) fn of_response(reading: &BodyContext, message: &mut Message) -> Result<ReportedBody, TooMuch> {
    reading.body(message, reading.expected(), |body| reading.response(body))
}

/// An error of our own, in the shape of OpenAI's.
pub(crate) fn of_error(reading: &BodyContext, kind: &str, message: &str) -> ReportedBody {
    let mut error = Fields::default();
    error.set("type", Node::string(kind));
    error.set("message", Node::string(message));
    let mut fields = Fields::default();
    fields.set("error", Node::Object(error));
    ReportedBody::unstreamed(fields, reading.expected())
}

/// What stands for an answer that never came.
pub(crate) fn of_no_response(reading: &BodyContext) -> ReportedBody {
    ReportedBody::unstreamed(Fields::default(), reading.expected())
}

/// What stands for a body that cannot be read.
fn by_length(body: &DecodedBody, expected: Expected, is_cut: bool) -> ReportedBody {
    let mut fields = Fields::default();
    if is_cut || body.losses.is_truncated {
        fields.set("truncated", Node::Object(body.truncated()));
    } else {
        describe(&mut fields, body.head, body.passed);
    }
    ReportedBody { losses: body.losses, ..ReportedBody::unstreamed(fields, expected) }
}

/// What stands for an answer that costs too much to take apart.
pub(crate) fn of_unread_response(reading: &BodyContext, answer: &Answer) -> ReportedBody {
    match answer {
        Answer::Response(response) => unread(&response.message, reading.expected()),
        Answer::None | Answer::Failed => of_no_response(reading),
    }
}

/// What stands for a body that costs too much to read.
fn unread(message: &Message, expected: Expected) -> ReportedBody {
    let mut fields = Fields::default();
    describe(&mut fields, &message.head, message.body.passed);
    let losses = Losses { is_unread: true, ..Losses::default() };
    ReportedBody { losses, ..ReportedBody::unstreamed(fields, expected) }
}

/// Says of what type and length a body was.
fn describe(fields: &mut Fields<'_>, head: &Head, passed: u64) {
    fields.set("contentType", head.media_type.name().map_or(Node::NULL, Node::string));
    fields.set("bytes", Node::number(passed));
}

fn set_expected(fields: &mut Fields<'_>, expected: Expected) {
    if let Some((key, empty)) = expected
        && !fields.contains(key)
    {
        fields.set(key, Node::Literal(empty.into()));
    }
}

impl BodyContext<'_> {
    /// Reads a body within the allowance, or else says of what type and length it was.
    fn body(
        &self,
        message: &mut Message,
        expected: Expected,
        read: impl FnOnce(&DecodedBody) -> ReportedBody,
    ) -> Result<ReportedBody, TooMuch> {
        let (content, cost) =
            self.effort.allowance().within(|| DecodedBody::of(message, self).map(|body| read(&body)));
        #[cfg(fuzzing)]
        check_cost(cost, message);
        match content {
            Some(mut content) if !cost.is_exhausted => {
                if content.stream.is_some() {
                    content.losses.skipped += cost.left_out;
                    content.losses.is_truncated |= cost.refused > 0;
                }
                Ok(content)
            }
            _ if self.effort == Effort::Try => Err(TooMuch),
            _ => Ok(unread(message, expected)),
        }
    }

    fn request(&self, body: &DecodedBody, expected: Expected) -> ReportedBody {
        if let MediaType::Form(content_type) = &body.head.media_type
            && self.operation.spec().shape != Shape::Json
            && let Some(form) = self.form(content_type, body, expected)
        {
            return form;
        }
        let content = self.json(body).or_else(|| self.parts(body, expected));
        let content = content.unwrap_or_else(|| {
            // The service may answer before it has read all. What is JSON is whole, however reading it ended.
            let mut content = by_length(body, expected, !body.has_end);
            content.losses.is_truncated |= !body.has_end;
            content
        });
        self.converted(content, self.operation.spec().request, |convert| convert.request)
    }

    fn response(&self, body: &DecodedBody) -> ReportedBody {
        let content = match self.framing(body) {
            Some(framing) => self.streamed(body, framing),
            None => {
                let expected = self.expected();
                let content = self.transcript(body).or_else(|| self.json(body));
                let content = content.or_else(|| self.lines(body));
                let content = content.or_else(|| self.parts(body, expected));
                content.unwrap_or_else(|| by_length(body, expected, false))
            }
        };
        // A translation always has a choice.
        let is_error = content.stream.is_none()
            && content.is_sent
            && (self.operation.spec().is_error)(content.json.get());
        ReportedBody { is_error, ..self.converted(content, self.expected(), |convert| convert.response) }
    }

    /// What consoles reach for in an answer.
    fn expected(&self) -> Expected {
        self.operation.spec().response
    }

    /// How the pieces of a body are told apart that is a stream by its type or its beginning.
    fn framing(&self, body: &DecodedBody) -> Option<Framing> {
        let says_events = body.head.media_type == MediaType::EventStream
            && !body.losses.is_undecodable
            && !begins_like_json(&body.bytes);
        if says_events || looks_like_events(&body.bytes) {
            return Some(Framing::Events);
        }
        // A single value in several lines is no stream, whatever its type says.
        let has_line = || ndjson::Lines::new(&body.bytes).next().is_some_and(lenient::is_readable);
        (body.says_lines() && self.may_stream() && has_line()).then_some(Framing::Lines)
    }

    /// A body that is a stream only in that each of its lines is an object.
    fn lines(&self, body: &DecodedBody) -> Option<ReportedBody> {
        let is_stream = self.may_stream() && ndjson::looks_like_lines(&body.bytes);
        is_stream.then(|| self.streamed(body, Framing::Lines))
    }

    fn streamed(&self, body: &DecodedBody, framing: Framing) -> ReportedBody {
        let (json, stream, losses) = streamed(self.operation, body, framing);
        ReportedBody { stream: Some(stream), losses, is_sent: true, ..ReportedBody::of_text(json) }
    }

    /// What is complete of a body that is no valid JSON.
    fn parts(&self, body: &DecodedBody, expected: Expected) -> Option<ReportedBody> {
        let (json, losses) = complete::parts(body, expected)?;
        Some(ReportedBody { json: Text::Own(json), stream: None, losses, is_sent: true, is_error: false })
    }

    fn may_stream(&self) -> bool {
        self.operation.spec().streams
    }

    /// A body that is one JSON value, and here as a whole.
    fn json(&self, body: &DecodedBody) -> Option<ReportedBody> {
        if body.losses.is_truncated {
            return None;
        }
        let raw = json::parse(&body.bytes)?;
        let json = Text::Received(body.bytes.slice_ref(raw.get().as_bytes()));
        Some(ReportedBody { json, stream: None, losses: body.losses, is_sent: true, is_error: false })
    }

    /// The fields of a form, as far as they are here.
    fn form(&self, content_type: &str, body: &DecodedBody, expected: Expected) -> Option<ReportedBody> {
        if !allowance::examine(2 * body.bytes.len()) {
            return None;
        }
        let multipart::Form { mut fields, is_whole } =
            multipart::fields(content_type, &body.bytes, &body.tail)?;
        let mut losses = body.losses;
        if !is_whole || losses.is_truncated {
            losses.is_truncated = true;
            fields.set("truncated", Node::Object(body.truncated()));
            set_expected(&mut fields, expected);
        }
        Some(ReportedBody { losses, is_sent: true, ..ReportedBody::of_text(fields.to_json()) })
    }

    /// A transcription that was asked for as text, subtitles or captions, in the shape of one in JSON.
    fn transcript(&self, text: &DecodedBody) -> Option<ReportedBody> {
        let is_text = match text.head.media_type.name() {
            None => true,
            Some(name) => name.starts_with("text/") && name != "text/html" || name == "application/x-subrip",
        };
        let is_json = begins_like_json(&text.bytes);
        let is_lost = text.losses.is_truncated || text.losses.is_undecodable;
        if self.operation.spec().shape != Shape::FormAndText
            || !is_text
            || is_json
            || is_lost
            || !text.has_end
            || text.bytes.len() > MOST_TEXT
        {
            return None;
        }
        let mut fields = Fields::default();
        fields.set("text", Node::string(&String::from_utf8_lossy(&text.bytes)));
        Some(ReportedBody { losses: text.losses, ..ReportedBody::of_text(fields.to_json()) })
    }

    /// A body in the shape that Reconify documents, if it is to be in that.
    fn converted(
        &self,
        content: ReportedBody,
        expected: Expected,
        half: impl Fn(&Convert) -> fn(&RawValue) -> Option<Converted>,
    ) -> ReportedBody {
        let Some(convert) = self.convert() else { return content };
        let before = allowance::refused();
        let raw = content.json.raw();
        let Some(mut converted) = half(convert)(&raw) else { return content };
        if allowance::refused() > before {
            converted = (convert.too_many)(&raw, expected.map_or("", |(key, _)| key));
        }
        let Converted { json, is_truncated } = converted;
        let losses = content.losses.and(Losses { is_truncated, ..Losses::default() });
        ReportedBody {
            losses,
            stream: content.stream,
            is_sent: content.is_sent,
            ..ReportedBody::of_text(json)
        }
    }
}

/// Asserts that reading a body cost no more than it may: work that grows with its length, and nodes within the allowance,
/// but for what is made of nodes for which there was room.
#[cfg(fuzzing)]
fn check_cost(cost: allowance::Cost, message: &Message) {
    if message.head.codings.is_empty() {
        let most = 500 * message.body.passed as usize + 100_000;
        assert!(cost.work <= most, "{cost:?} of {} bytes", message.body.passed);
    }
    assert!(
        cost.work <= allowance::Allowance::LARGE.work && cost.peak <= 3 * allowance::Allowance::LARGE.nodes,
        "{cost:?}"
    );
}

impl ReportedBody {
    /// Whether it has fields that were sent: an error, if the status says so. Compatible servers have many shapes for one.
    pub(crate) fn says_something(&self) -> bool {
        let has_fields = |raw: &RawValue| json::object(raw).is_some_and(|fields| !fields.is_empty());
        let whole = self.json.raw();
        let first = json::array(&whole).and_then(|elements| elements.first().copied());
        self.is_sent && first.map_or_else(|| has_fields(&whole), has_fields)
    }

    fn unstreamed(mut fields: Fields<'_>, expected: Expected) -> Self {
        set_expected(&mut fields, expected);
        Self::of_text(fields.to_json())
    }

    /// Text that was put together here is valid JSON; null stands where that should ever prove wrong.
    fn of_text(text: String) -> Self {
        let json = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self {
            json: Text::Own(json),
            stream: None,
            losses: Losses::default(),
            is_sent: false,
            is_error: false,
        }
    }
}
