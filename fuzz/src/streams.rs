//! From the bytes of the fuzzer to a stream.

use arbitrary::{Result, Unstructured};
use tower_reconify::{Operation, Provider, fuzzing};

use crate::script::Script;
use crate::shapes::Shape;

/// Reads a stream as an operation's. Its first byte says what the others are: `0` is the beginning of a stream that is
/// built in this shape, `1` of one that follows a script; else it is the stream itself.
pub fn run(
    operation: Operation,
    shape: &Shape,
    script: fn(&mut Unstructured<'_>) -> Result<Script>,
    input: &[u8],
) {
    match input {
        [b'0', bytes @ ..] => {
            if let Ok(stream) = built(shape, &mut Unstructured::new(bytes)) {
                fuzzing::stream(operation, &stream);
            }
        }
        [b'1', bytes @ ..] => {
            let mut bytes = Unstructured::new(bytes);
            let Ok(script) = script(&mut bytes) else { return };
            let events = script.events.into_iter().map(|data| (String::new(), data)).collect();
            let Ok(stream) = framed(events, &mut bytes) else { return };
            let reported = fuzzing::stream(operation, &stream).expect("a stream is read as one");
            let reported = serde_json::from_str(&reported).expect("a report is JSON");
            assert_eq!((script.said)(&reported), script.expected, "{}", String::from_utf8_lossy(&stream));
        }
        _ => drop(fuzzing::stream(operation, input)),
    }
}

/// Reads a stream of a provider's. The first byte chooses the operation and the second the media
/// type; `0` as the third is the beginning of a stream that is built in this shape, with events or
/// with lines.
pub fn run_native(provider: Provider, shape: &Shape, input: &[u8]) {
    match input {
        [operation, media_type, b'0', bytes @ ..] => {
            let mut bytes = Unstructured::new(bytes);
            let stream =
                if *media_type == LINES { lines(shape, &mut bytes) } else { built(shape, &mut bytes) };
            if let Ok(stream) = stream {
                fuzzing::native(provider, &[&[*operation, *media_type], &*stream].concat());
            }
        }
        _ => fuzzing::native(provider, input),
    }
}

/// The media type of lines of JSON.
const LINES: u8 = b'4';

/// Lines of this shape, of which the end may be cut off.
fn lines(shape: &Shape, bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut stream = String::new();
    for _ in 0..bytes.int_in_range(1..=64)? {
        shape.write(bytes, &mut stream, 0)?;
        stream.push_str(bytes.choose(&["\n", "\r\n", "\n\n"])?);
    }
    let cut = if bytes.ratio(1, 4)? { bytes.int_in_range(0..=40)? } else { 0 };
    let mut stream = stream.into_bytes();
    stream.truncate(stream.len() - cut.min(stream.len()));
    Ok(stream)
}

/// Events of this shape, some of them odd, of which the end may be cut off.
fn built(shape: &Shape, bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut events = Vec::new();
    while !bytes.is_empty() && events.len() < 64 {
        let mut data = String::new();
        shape.write(bytes, &mut data, 0)?;
        let name = if bytes.ratio(1, 8)? { *bytes.choose(&["error", "x", " "])? } else { "" };
        events.push((name.to_owned(), data));
    }
    let cut = if bytes.ratio(1, 4)? { bytes.int_in_range(0..=40)? } else { 0 };
    let mut stream = framed(events, bytes)?;
    stream.truncate(stream.len() - cut.min(stream.len()));
    Ok(stream)
}

/// Events, with their names if they have any, as a stream.
fn framed(events: Vec<(String, String)>, bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let end = *bytes.choose(&["\n", "\r\n", "\r"])?;
    let mut stream = String::new();
    if bytes.ratio(1, 8)? {
        stream.push('\u{feff}');
    }
    // Something has to stand there for it to be a stream.
    stream.extend([":", end]);
    for (name, data) in events {
        if bytes.ratio(1, 8)? {
            stream.extend([": ping", end, end]);
        }
        if !name.is_empty() {
            stream.extend(["event: ", &name, end]);
        }
        // A line feed at the beginning of an object is white space.
        let is_split = bytes.ratio(1, 8)? && data.starts_with('{');
        let lines = if is_split { data.replacen('{', "{\n", 1) } else { data };
        for line in lines.split('\n') {
            stream.extend(["data: ", line, end]);
        }
        stream.push_str(end);
    }
    if bytes.ratio(1, 2)? {
        stream.extend(["data: [DONE]", end, end]);
    }
    Ok(stream.into_bytes())
}
