//! Entry points for the fuzz targets, compiled only for them. They assert the properties that hold
//! for any input.

#![allow(clippy::expect_used, reason = "a fuzz target fails by panicking")]

use std::cell::Cell;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::value::RawValue;

use crate::budget::Budget;

use crate::codec::json_array::{ArrayItems, looks_like_array};
use crate::codec::sse::{Event, Events};
use crate::codec::{content_encoding as codings, json};
use crate::config::Limits;
use crate::exchange::{BodyPiece, Head, RecordedMessage, Recording};
use crate::provider::anthropic::messages::MessageAssembler;
use crate::provider::gemini::assembler::GeminiAssembler;
use crate::provider::openai::chat::assembler::ChatAssembler;
use crate::provider::openai::{images, responses};
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};
use crate::provider::{Placeholder, media};
use crate::translation::Effort;
use crate::translation::body::{ReportedBody, of_response};
use crate::translation::context::BodyContext;

mod body;
mod frames;
mod native;
#[cfg(fuzzing)]
pub mod spool;
#[cfg(fuzzing)]
mod stored;

pub use self::body::body;
pub use self::frames::{bedrock, frames};
pub use self::native::native;
#[cfg(fuzzing)]
pub use self::stored::stored;

const LIMIT: usize = 1024 * 1024;

const CONTENT_TYPES: [&str; 5] = [
    "application/json",
    "text/event-stream",
    "multipart/form-data; boundary=B",
    "text/html",
    "application/x-ndjson",
];

const CODINGS: [&str; 9] =
    ["gzip", "deflate", "br", "zstd", "gzip, br", "unknown", "none", "gzip, utf-8", "gzip, gzip"];

/// Splits a stream into events.
pub fn events(stream: &[u8]) {
    let mut events = Events::new(stream);
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    let mut left = events.left();
    while let Some(event) = events.next() {
        assert!(events.left() < left, "every event takes something");
        assert!(event.data.len() + event.name.len() <= left, "and holds no more than it took");
        left = events.left();
        all.push(event);
        ends.push(stream.len() - left);
    }
    // Events do not depend on their surroundings, so a stream can be cut in two after any event.
    let middle = all.len() / 2;
    let Some(end) = middle.checked_sub(1).and_then(|last| ends.get(last)) else { return };
    let (before, after) = stream.split_at(*end);
    assert!(Events::new(before).eq(all.drain(..middle)), "the beginning is as it was");
    // A byte order mark has a meaning only at the beginning of a stream.
    assert!(after.starts_with(b"\xef\xbb\xbf") || Events::new(after).eq(all), "the rest is as it was");
}

/// Splits an array into its elements.
pub fn array(array: &[u8]) {
    let mut items = ArrayItems::new(array);
    let (mut all, mut left) = (Vec::new(), items.left());
    while let Some(item) = items.next() {
        assert!(!item.is_empty() && items.left() + item.len() <= left, "every element takes its length");
        left = items.left();
        all.push(item);
    }
    assert!(items.is_closed() || items.left() == 0, "all is read");
    let text = array.strip_prefix(b"\xef\xbb\xbf").unwrap_or(array);
    if text.trim_ascii_start().starts_with(b"[")
        && let Some(expected) = json::parse(text).and_then(json::array)
    {
        assert!(expected.into_iter().map(|element| element.get().as_bytes()).eq(all.iter().copied()));
        assert!(items.is_closed());
    }
    // What is cut off has the same elements, but for the last one.
    let cut: Vec<_> = ArrayItems::new(array.get(..array.len() / 2).unwrap_or_default()).collect();
    let whole = cut.len().saturating_sub(1);
    assert!(all.starts_with(cut.get(..whole).unwrap_or_default()));
}

/// Undoes content codings. Returns the bytes, and whether there were more.
pub fn decode(body: &[u8], names: &str, limit: usize) -> Option<(Vec<u8>, bool)> {
    let decoded = codings::decode(Bytes::copy_from_slice(body), names, limit, &mut |_| true)?;
    Some((decoded.body.to_vec(), decoded.is_cut))
}

/// Assembles a stream as an operation's response. Returns the reported JSON; `None` if the input is
/// not a stream.
pub fn stream(operation: Operation, stream: &[u8]) -> Option<String> {
    let budget = budget();
    let charged = Cell::new(0);
    let reading =
        BodyContext { operation, budget: &budget, converts: false, effort: Effort::Full, charged: &charged };
    let streamed = |reading: &BodyContext, body: &[u8], more| {
        let mut message = message(b'1', b'-', body);
        message.body.passed += more;
        answer_of(reading, message)
    };
    let answer = streamed(&reading, stream, 0);
    let progress = answer.stream.as_ref()?.progress;
    check(&answer, reading.placeholders().response);

    // The fast path for similar chunks does not change the result.
    if matches!(operation, Operation::Chat | Operation::Completion) {
        let events: Vec<_> = Events::new(stream).collect();
        let whole = [ChatAssembler::default(), ChatAssembler::without_templates()].map(|mut assembler| {
            let mut progress = Progress::default();
            for event in &events {
                if !assembler.push(event.name, &event.data, &mut progress) {
                    progress.skip();
                }
            }
            let whole = assembler.finish(operation, &mut progress);
            format!("{progress:?}") + &whole
        });
        let [compared, read] = &whole;
        assert_eq!(compared, read, "what is compared is what would be read");
    }
    if operation == Operation::GeminiGenerate {
        let events: Vec<_> = Events::new(stream).collect();
        let whole =
            [GeminiAssembler::default(), GeminiAssembler::without_templates()].map(|mut assembler| {
                let mut progress = Progress::default();
                for event in events.iter().filter(|event| !event.data.is_empty()) {
                    if !str::from_utf8(&event.data)
                        .is_ok_and(|_| assembler.push(event.name, &event.data, &mut progress))
                    {
                        progress.skip();
                    }
                }
                let whole = assembler.finish(operation, &mut progress);
                format!("{progress:?}") + &whole
            });
        let [compared, read] = &whole;
        assert_eq!(compared, read, "what is compared is what would be read");
        // An array has no events, and another framing loses an error without `data:`.
        if looks_like_array(stream) || stream.windows(2).any(|window| window == b"\n{") {
            return Some(answer.json.get().to_owned());
        }
    }
    if operation == Operation::AnthropicMessages {
        let events: Vec<_> = Events::new(stream).collect();
        // An event is never compared with one before a ping.
        let whole = [false, true].map(|pings| {
            let (mut assembler, mut progress) = (MessageAssembler::default(), Progress::default());
            for event in &events {
                if !assembler.push(event.name, &event.data, &mut progress) {
                    progress.skip();
                }
                if pings {
                    assembler.push(b"", br#"{"type":"ping"}"#, &mut progress);
                    progress.chunks -= 1;
                }
            }
            let whole = assembler.finish(operation, &mut progress);
            format!("{progress:?}") + &whole
        });
        let [compared, read] = &whole;
        assert_eq!(compared, read, "what is compared is what would be read");
    }

    // An end marker changes nothing else.
    let done = streamed(&reading, &[stream, b"\n\ndata: [DONE]\n\n"].concat(), 0);
    assert_eq!(done.json.get(), answer.json.get(), "the end is no part of an answer");
    assert!(done.stream.is_some_and(|stream| {
        let done = stream.progress;
        done.is_done && done.chunks == progress.chunks && done.has_error == progress.has_error
    }));
    // Line ends, and fields without data between events, change nothing either. Events without blank
    // lines between them are left out: each of their lines may have a name, and `framed` knows the
    // last one only.
    let is_one = |event: Event<'_>| !event.data.contains(&b'\n') || json::parse(&event.data).is_some();
    if Events::new(stream).all(is_one) {
        let framed = streamed(&reading, &framed(stream), 0);
        assert_eq!(framed.json.get(), answer.json.get(), "the framing is no part of an answer");
        let framed = framed.stream.map(|framed| (framed.progress.is_done, framed.progress.chunks));
        assert_eq!(framed, Some((progress.is_done, progress.chunks)));
    }
    if operation == Operation::Responses {
        check_response(|events| streamed(&reading, &[stream, b"\n\n", events].concat(), 0));
    }
    // A truncated stream is marked.
    let truncated = streamed(&reading, stream, 1);
    assert!(truncated.losses.is_truncated && truncated.json.get().contains("\"truncated\""));
    check(&truncated, reading.placeholders().response);

    let reading = BodyContext { converts: true, ..reading };
    let translated = streamed(&reading, stream, 0);
    check(&translated, reading.placeholders().response);
    match responses::chat_response(&answer.json.raw()).filter(|_| operation == Operation::Responses) {
        Some(chat) => assert_eq!(chat.json, translated.json.get(), "a translation is JSON"),
        None => assert_eq!(answer.json.get(), translated.json.get(), "what is not translated is as it was"),
    }
    // An invalid byte becomes three bytes. The shortest tool calls and choices become ten times as
    // long.
    let most = 16 * String::from_utf8_lossy(stream).len() + 1_024;
    for json in [&answer.json, &truncated.json, &translated.json] {
        assert!(json.get().len() <= most, "a report is about as long as its stream: {}", json.get());
    }
    if operation.is_image() {
        check_images(answer.json.into_raw());
    }
    Some(translated.json.get().to_owned())
}

/// Asserts properties of a streamed response for any earlier events.
fn check_response(followed_by: impl Fn(&[u8]) -> ReportedBody) {
    let last = br#"data: {"type":"response.completed","response":{"output":[{"type":"x"}]}}"#;
    let whole = followed_by(last);
    assert!(whole.json.get().contains(r#""output":[{"type":"x"}]"#), "the output of the last event wins");
    assert!(whole.stream.is_some_and(|stream| stream.progress.is_done));
    let created = br#"data: {"type":"response.created","response":{"id":"x"}}"#;
    let again = followed_by(&[&created[..], b"\n\n", created].concat());
    assert_eq!(again.json.get(), r#"{"id":"x","object":"response"}"#, "a second response starts over");
    assert!(again.stream.is_some_and(|stream| !stream.progress.is_done && !stream.progress.has_error));
}

/// Elides the media in a JSON text, and asserts that the result is JSON, not much longer, and free
/// of media.
pub fn media(text: &[u8]) {
    let Some(before) = json::parse(text) else { return };
    let Ok(after) = media::elide(before.to_owned()) else { return };
    assert!(json::parse(after.get().as_bytes()).is_some(), "what is left is JSON: {after}");
    // The shortest data becomes as long as its description with a type of that length.
    assert!(after.get().len() <= 16 * before.get().len() + 64, "it is not much longer: {after}");
    let again = media::elide(after.clone()).expect("there is no more than before");
    assert_eq!(after.get(), again.get(), "a description is no data");
}

fn choice<T: Copy>(choices: &[T], byte: u8) -> Option<T> {
    choices.get(usize::from(byte.checked_sub(b'0')?)).copied()
}

/// The reported response. The input is small enough for the allowance.
fn answer_of(reading: &BodyContext, mut message: RecordedMessage) -> ReportedBody {
    of_response(reading, &mut message).expect("with all effort there is always something")
}

fn budget() -> Budget {
    Budget::new(Limits { items: 1, bytes: LIMIT, body_bytes: LIMIT })
}

fn message(content_type: u8, coding: u8, body: &[u8]) -> RecordedMessage {
    let mut headers = HeaderMap::new();
    if let Some(value) = choice(&CONTENT_TYPES, content_type) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
    }
    if let Some(value) = choice(&CODINGS, coding) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(value));
    }
    let body = Recording {
        pieces: vec![BodyPiece::Frame(Bytes::copy_from_slice(body))],
        passed: body.len() as u64,
        ..Recording::default()
    };
    let mut head = Head::default();
    head.read(&headers);
    RecordedMessage { head, body }
}

/// The same events with another framing.
fn framed(stream: &[u8]) -> Vec<u8> {
    let mut framed = b"\xef\xbb\xbf:\r\n".to_vec();
    for event in Events::new(stream) {
        framed.extend([b": ping\r\rid: 1\revent: ", event.name, b"\r\n"].concat());
        for line in event.data.split(|byte| *byte == b'\n') {
            framed.extend([b"data: ", line, b"\n"].concat());
        }
        framed.extend(b"\n\n\nevent: of nothing\n\n");
    }
    framed
}

/// Asserts that the report is an object with the placeholder. Null would mean that assembled text
/// was not JSON.
fn check(content: &ReportedBody, placeholder: Option<Placeholder>) {
    let raw = content.json.raw();
    let fields = json::object(&raw).expect("a report is an object");
    let has = |name: &str| json::field(&fields, name).is_some();
    // Some streams send the whole response, or the text as something else.
    let may_be_as_sent = |key| content.stream.is_some() && matches!(key, "text" | "generations" | "response");
    if let Some(Placeholder { key, empty, unless }) = placeholder
        && !unless.is_some_and(has)
        // Beside an error there may be nothing.
        && !has("error")
        && !may_be_as_sent(key)
    {
        let value = json::field(&fields, key).expect("what a console reaches for is there").get();
        let start = empty.get(..1).unwrap_or_default();
        // The fields of a truncated body are as they were sent.
        let is_as_sent = content.is_sent && content.losses.is_truncated && content.stream.is_none();
        assert!(is_as_sent || value.starts_with(start), "{key} is as expected: {value}");
    }
}

/// Asserts that image data, and nothing else, is detached from a response.
fn check_images(answer: Box<RawValue>) {
    let data = |answer: &RawValue| -> Option<Vec<String>> {
        let fields = json::object(answer)?;
        let data = json::field(&fields, "data")?;
        Some(json::array(data)?.into_iter().map(|element| element.get().to_owned()).collect())
    };
    let Some(before) = data(&answer) else { return };
    let (answer, images) = (images::ELEMENTS.detach)(answer, UNIX_EPOCH);
    let after = data(&answer).expect("it is still there");
    assert_eq!(before.len(), after.len());
    let mut images = images.into_iter();
    for (before, after) in before.iter().zip(&after) {
        if before != after {
            let image = images.next().expect("what is missing is an image");
            assert_eq!(image.element.get(), before);
            assert_eq!(*after, format!("\"{}\"", image.filename));
        }
    }
    assert!(images.next().is_none(), "every image leaves its name");
    let has_image = |element: &String| {
        let raw = json::parse(element.as_bytes()).and_then(json::object).unwrap_or_default();
        json::field(&raw, "b64_json").is_some_and(|data| !json::is_blank(data))
    };
    assert!(after.len() > 128 || !after.iter().any(has_image), "no image stays: {answer}");
}
