use std::iter;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use proptest::prelude::*;

use super::*;

/// A frame, written by hand.
pub(crate) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(u8::try_from(name.len()).unwrap());
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    with_headers(&encoded, payload)
}

/// A frame with headers that are encoded already.
fn with_headers(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = AROUND + headers.len() + payload.len();
    let lengths = [total, headers.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes()).concat();
    let mut frame = [&lengths[..], &crc32fast::hash(&lengths).to_be_bytes(), headers, payload].concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

/// An event of Bedrock's.
pub(crate) fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, payload.as_bytes())
}

/// An exception of Bedrock's.
pub(crate) fn exception(name: &str, payload: &str) -> Vec<u8> {
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    frame(&headers, payload.as_bytes())
}

/// An error that the service does not model.
pub(crate) fn error(code: &str, message: &str) -> Vec<u8> {
    frame(&[(":error-code", code), (":error-message", message), (":message-type", "error")], b"")
}

/// Name and data of each frame, the number of bytes left, and whether the stream is broken.
fn read(stream: &[u8]) -> (Vec<(String, String)>, usize, bool) {
    let mut frames = Frames::new(stream);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let read = frames.by_ref().map(|frame| (text(frame.name), text(&frame.data()))).collect();
    (read, frames.left(), frames.is_broken())
}

#[test]
fn events_exceptions_and_errors_are_told_apart() {
    let stream = [event("a", "{}"), exception("b", r#"{"message":"m"}"#), error("c", "\"é")].concat();
    let events: Vec<Event<'_>> = Frames::new(&stream).map(Event::from).collect();
    let expected = [("a", "{}"), ("b", r#"{"message":"m"}"#), ("c", r#"{"message":"\"é"}"#)];
    let event =
        |(name, data): (&'static str, &'static str)| Event::new(name.as_bytes(), data.as_bytes().into());
    assert_eq!(events, expected.map(event));
    let kinds: Vec<_> = Frames::new(&stream).map(|frame| frame.kind).collect();
    assert_eq!(kinds, [FrameKind::Event, FrameKind::Exception, FrameKind::Error]);
}

#[test]
fn every_type_of_header_is_skipped_by_its_length() {
    let types: [(u8, usize); 8] = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)];
    let mut headers = Vec::new();
    for (kind, length) in types {
        headers.extend([1, b'x', kind]);
        headers.extend(iter::repeat_n(7, length));
    }
    // Bytes are no text.
    headers.extend(b"\x0b:event-type\x06\x00\x01b\x0b:event-type\x07\x00\x01t");
    assert_eq!(read(&with_headers(&headers, b"1")), (vec![("t".to_owned(), "1".to_owned())], 0, false));
    for bad in [&b"\x01x\x0a"[..], b"\x01x", b"\x05x", b"\x01x\x09short", b"\x01x\x07\x00\x05abc"] {
        assert_eq!(read(&with_headers(bad, b"")).0, [], "{bad:?}");
    }
}

#[test]
fn a_wrong_checksum_a_false_length_and_a_cut_frame_end_the_stream() {
    let (first, second) = (event("a", "1"), event("b", "2"));
    let one = vec![("a".to_owned(), "1".to_owned())];
    // Each byte counts for one of the checksums.
    for at in 0..second.len() {
        let mut wrong = second.clone();
        wrong[at] ^= 0x10;
        let stream = [&first[..], &wrong, &first].concat();
        assert_eq!(read(&stream), (one.clone(), wrong.len() + first.len(), true), "{at}");
    }
    for end in 1..second.len() {
        let stream = [&first[..], &second[..end]].concat();
        assert_eq!(read(&stream), (one.clone(), end, true), "{end}");
    }
    assert_eq!(read(&first), (one, 0, false));
    assert_eq!(read(b""), (vec![], 0, false));
}

#[test]
fn lengths_beyond_those_of_the_format_are_false_even_with_a_correct_checksum() {
    let begins = |total: u32, headers: u32| {
        let lengths = [total, headers].map(u32::to_be_bytes).concat();
        looks_like_frames(&[&lengths[..], &crc32fast::hash(&lengths).to_be_bytes()].concat())
    };
    assert!(begins(16, 0) && begins(1_000, 984) && begins(25_165_840, 0) && begins(131_088, 131_072));
    for (total, headers) in [
        (0, 0),
        (15, 0),
        (16, 1),
        (1_000, 985),
        (25_165_841, 0),
        (131_089, 131_073),
        (u32::MAX, 0),
        (16, u32::MAX),
    ] {
        assert!(!begins(total, headers), "{total} {headers}");
    }
}

#[test]
fn no_text_looks_like_frames() {
    for text in ["", "{}", "data: {}\n\n", "[{\"a\":1}]", "\0\0\0\0\0\0\0\0\0\0\0\0"] {
        assert!(!looks_like_frames(text.as_bytes()), "{text}");
    }
    assert!(looks_like_frames(&event("a", "{}")[..PRELUDE]));
}

/// The frames that the decoder of AWS's own SDK finds in a stream.
fn reference(mut stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut decoder = MessageFrameDecoder::new();
    let mut frames = Vec::new();
    while let Ok(DecodedFrame::Complete(message)) = decoder.decode_frame(&mut stream) {
        let name = message.headers().iter().rfind(|header| header.name().as_str() == ":event-type");
        let name = name.and_then(|header| header.value().as_string().ok());
        frames.push((
            name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            message.payload().to_vec(),
        ));
    }
    frames
}

fn ours(stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let name = |frame: Frame<'_>| String::from_utf8_lossy(frame.name).into_owned();
    Frames::new(stream).map(|frame| (name(frame), frame.payload.to_vec())).collect()
}

fn value() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i8>().prop_map(HeaderValue::Byte),
        any::<i16>().prop_map(HeaderValue::Int16),
        any::<i32>().prop_map(HeaderValue::Int32),
        any::<i64>().prop_map(HeaderValue::Int64),
        any::<u128>().prop_map(HeaderValue::Uuid),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| HeaderValue::ByteArray(bytes.into())),
        ".{0,20}".prop_map(|text| HeaderValue::String(text.into())),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let name = prop_oneof![Just(":event-type".to_owned()), "[a-z:]{1,20}"];
    let headers = prop::collection::vec((name, value()), 0..5);
    (headers, prop::collection::vec(any::<u8>(), 0..50)).prop_map(|(headers, payload)| {
        let message = Message::new(payload);
        headers
            .into_iter()
            .fold(message, |message, (name, value)| message.add_header(Header::new(name, value)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_are_those_of_a_reference_decoder(
        messages in prop::collection::vec(message(), 0..4),
        flipped in prop::option::of((any::<prop::sample::Index>(), 0..8)),
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            write_message_to(message, &mut stream).unwrap();
        }
        if let Some((at, bit)) = flipped && !stream.is_empty() {
            let at = at.index(stream.len());
            stream[at] ^= 1_u8 << bit;
        }
        prop_assert_eq!(ours(&stream), reference(&stream));
    }

    #[test]
    fn our_frames_are_read_by_a_reference_decoder(name in "[a-z]{0,9}", payload in ".{0,50}") {
        let stream = event(&name, &payload);
        prop_assert_eq!(reference(&stream), [(name, payload.into_bytes())]);
    }
}
