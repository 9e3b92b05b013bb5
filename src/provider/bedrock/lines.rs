//! Writes the frames of a stream as lines of JSON, one line per frame.
//!
//! The payload of an invoked model is base64, so an assembler cannot borrow from the frames.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr_iter;

use crate::codec::allowance;
use crate::codec::frames::{Frame, FrameKind, Frames};
use crate::codec::framing::Framing;
use crate::codec::json::{self, Entries, Fields, Node};
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, Progress, RecordedStream};

/// Appends an event as JSON. A line that is not JSON counts as unreadable.
pub(super) type WriteEvent = fn(&Frame<'_>, &mut Vec<u8>);

/// Assembles a stream of frames by its lines; any other stream as it is.
pub(super) fn assembled(
    stream: RecordedStream<'_>,
    operation: Operation,
    write: WriteEvent,
    assemble: for<'a> fn(RecordedStream<'a>, Operation) -> Assembled,
) -> Assembled {
    if stream.framing != Framing::Frames {
        return assemble(stream, operation);
    }
    let bytes = stream.bytes;
    let mut frames = Frames::new(bytes);
    let most = frames.by_ref().map(|frame| longest_line(&frame)).sum();
    let is_broken = frames.is_broken();
    if !allowance::examine(2 * bytes.len()) || !(stream.charge)(most) {
        // Without memory for the lines, the body is reported by its length.
        allowance::exhaust();
        return Assembled { json: "{}".to_owned(), progress: Progress::default(), first_token: None };
    }
    let mut lines = Vec::with_capacity(most);
    for frame in Frames::new(bytes) {
        let start = lines.len();
        match frame.kind {
            FrameKind::Event => write(&frame, &mut lines),
            FrameKind::Exception | FrameKind::Error => lines.extend(error(&frame).bytes()),
        }
        // A line break in JSON stands between tokens, where a blank means the same.
        let line = lines.get_mut(start..).unwrap_or_default();
        line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        lines.push(b'\n');
    }
    let by_lines = RecordedStream { bytes: &lines, framing: Framing::Lines, ..stream };
    let mut assembled = assemble(by_lines, operation);
    assembled.first_token = assembled.first_token.map(|end| end_of_frame(bytes, &lines, end));
    if is_broken {
        assembled.progress.skip();
    }
    assembled
}

/// An upper limit for the length of a frame's line. The texts of an error may have to be escaped.
fn longest_line(frame: &Frame<'_>) -> usize {
    let length = frame.name.len() + frame.payload.len();
    match frame.kind {
        FrameKind::Event => length + 16,
        FrameKind::Exception | FrameKind::Error => error(frame).len() + 1,
    }
}

/// The end of the frame whose line ends here.
fn end_of_frame(stream: &[u8], lines: &[u8], end: u64) -> u64 {
    let before = lines.get(..usize::try_from(end).unwrap_or_default()).unwrap_or_default();
    let mut frames = Frames::new(stream);
    frames.by_ref().take(memchr_iter(b'\n', before).count()).for_each(drop);
    (stream.len() - frames.left()) as u64
}

/// The most bytes kept of an exception that is not JSON. Escaped, a byte can take six.
const LONGEST_MESSAGE: usize = 16 * 1024;

/// An exception or error as an event, with its name as the type.
fn error(frame: &Frame<'_>) -> String {
    let text = |bytes: &[u8]| Node::string(&String::from_utf8_lossy(bytes));
    let data = frame.data();
    let mut error = Fields::default();
    error.set("type", text(frame.name));
    match json::parse_object(&data) {
        Some(fields) => error.extend(Fields::of(unpadded(fields))),
        None => error.set("message", text(data.get(..LONGEST_MESSAGE).unwrap_or(&data))),
    }
    let mut event = Fields::default();
    event.set("error", Node::Object(error));
    event.to_json()
}

/// Fields without the padding that hides the length of the payload.
pub(super) fn unpadded(fields: Entries<'_>) -> Entries<'_> {
    fields.into_iter().filter(|(key, _)| key != "p").collect()
}

/// Writes an event of Converse: an object with the type as its only field.
pub(super) fn write_converse(frame: &Frame<'_>, line: &mut Vec<u8>) {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = if frame.name.iter().all(is_plain) { frame.name } else { b"unknown" };
    for part in [b"{\"", name, b"\":", frame.payload, b"}"] {
        line.extend_from_slice(part);
    }
}

/// Writes an event of an invoked model: the JSON in its payload.
pub(super) fn write_invoke(frame: &Frame<'_>, line: &mut Vec<u8>) {
    let start = line.len();
    let fields = json::parse_object(frame.payload).filter(|_| frame.name == b"chunk");
    let bytes = fields.as_deref().and_then(|fields| json::field(fields, "bytes")).and_then(json::text);
    let is_read = bytes.is_some_and(|base64| STANDARD.decode_vec(base64, line).is_ok());
    if !is_read {
        line.truncate(start);
        line.push(b'?');
    }
}
