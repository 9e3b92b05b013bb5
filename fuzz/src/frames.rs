//! From a text to a binary event stream with correct checksums.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A frame for each line: the type of the event, a blank, and its payload. A line that begins with `!` is an exception,
/// one with `?` an error, and one with `=` a chunk of an invoked model, whose JSON is encoded.
pub fn of_lines(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.flat_map(frame_of).collect()
}

fn frame_of(line: &[u8]) -> Vec<u8> {
    match line {
        [b'=', json @ ..] => {
            let payload = format!(r#"{{"bytes":"{}","p":"abc"}}"#, STANDARD.encode(json));
            frame(&[(":message-type", b"event"), (":event-type", b"chunk")], payload.as_bytes())
        }
        [b'!', rest @ ..] => {
            let (name, payload) = at_blank(rest);
            frame(&[(":message-type", b"exception"), (":exception-type", name)], payload)
        }
        [b'?', rest @ ..] => {
            let (code, message) = at_blank(rest);
            frame(&[(":message-type", b"error"), (":error-code", code), (":error-message", message)], b"")
        }
        _ => {
            let (name, payload) = at_blank(line);
            frame(&[(":event-type", name), (":message-type", b"event")], payload)
        }
    }
}

fn at_blank(line: &[u8]) -> (&[u8], &[u8]) {
    let blank = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    (&line[..blank], line.get(blank + 1..).unwrap_or_default())
}

fn frame(headers: &[(&str, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(name.len() as u8);
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        encoded.extend_from_slice(&(value.len() as u16).to_be_bytes());
        encoded.extend_from_slice(value);
    }
    let lengths =
        [16 + encoded.len() + payload.len(), encoded.len()].map(|length| (length as u32).to_be_bytes());
    let mut frame = lengths.concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend([&encoded[..], payload].concat());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}
