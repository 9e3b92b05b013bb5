//! Compares the splitting of streams with a crate that implements the same standard.

use std::convert::Infallible;

use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use sse_stream::SseByteStream;

use super::*;

/// The names and data of events.
type Split = Vec<(String, String)>;

fn ours(stream: &str) -> Split {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Events::new(stream.as_bytes()).map(|event| (text(event.name), text(&event.data))).collect()
}

fn theirs(stream: &str) -> Split {
    // The crate follows the standard and discards an event that is cut off. Here it is reported, so
    // a blank line ends it.
    let ended = format!("{stream}\n\n");
    let pieces = stream::iter([Ok::<_, Infallible>(ended.as_bytes())]);
    let blocks = futures_executor::block_on(SseByteStream::new(pieces).collect::<Vec<_>>());
    let blocks = blocks.into_iter().map(|block| block.expect("the stream is UTF-8"));
    // The crate also yields blocks without data, for their ids. They are not events.
    blocks.filter_map(|block| Some((block.event.unwrap_or_default(), block.data?))).collect()
}

/// A line, most often of a known field. White space other than line ends must count as ordinary
/// characters.
fn line() -> impl Strategy<Value = String> {
    let names =
        vec!["data", "data", "data", "event", "id", "retry", "", "datum", "Data", " data", "\u{feff}data"];
    let between = vec![": ", ":", "", ":  ", " :", ":\t"];
    let value = prop_oneof![
        "[a-z:{}\" ]{0,8}",
        "[é€🌍\u{feff}\u{85}\u{2028}\u{2029}\u{b}\u{c}\0\t ]{0,5}",
        "[0-9]{0,4}",
        Just("[DONE]".to_owned()),
    ];
    (prop::sample::select(names), prop::sample::select(between), value)
        .prop_map(|(name, between, value)| [name, between, &value].concat())
}

/// Streams of lines with any line ends. They may begin with a byte order mark and end anywhere.
fn streams() -> impl Strategy<Value = String> {
    let line = prop_oneof![2 => line(), 1 => Just(String::new())];
    let end = prop::sample::select(&["\n", "\r\n", "\r"][..]);
    let mark = prop::sample::select(&["", "\u{feff}", "\u{feff}\u{feff}"][..]);
    let lines = prop::collection::vec((line, end), 0..24);
    (mark, lines, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mark, lines, cut, is_cut)| {
        let lines = lines.iter().map(|(line, end)| [line, *end].concat());
        let stream: String = [mark.to_owned()].into_iter().chain(lines).collect();
        let letters = if is_cut { cut.index(stream.chars().count() + 1) } else { usize::MAX };
        stream.chars().take(letters).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_is_split_as_the_standard_splits_it(stream in streams()) {
        prop_assert_eq!(ours(&stream), theirs(&stream));
    }

    #[test]
    fn so_is_any_mix_of_what_matters_to_it(stream in "(data|event|\r|\n|:| |\u{feff}|é){0,60}") {
        prop_assert_eq!(ours(&stream), theirs(&stream));
    }
}

#[test]
fn both_find_the_same_events_in_a_stream_that_has_all_there_is() {
    let stream =
        "\u{feff}: hello\r\nevent: a\rdata: 1\ndata:  2\r\n\r\nid: 7\n\nretry: 1\ndata\n\nevent: b\ndata:3";
    let events = [("a", "1\n 2"), ("", ""), ("b", "3")];
    let events = events.map(|(name, data)| (name.to_owned(), data.to_owned()));
    assert_eq!(ours(stream), events);
    assert_eq!(theirs(stream), events);
}

fn events(stream: &str) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Events::new(stream.as_bytes()).map(|event| (text(event.name), text(&event.data))).collect()
}

fn data(stream: &str) -> Vec<String> {
    events(stream).into_iter().map(|(_, data)| data).collect()
}

#[test]
fn lines_end_in_lf_crlf_or_cr() {
    for end in ["\n", "\r\n", "\r"] {
        assert_eq!(data(&"data: a|data:b||data: c||".replace('|', end)), ["a\nb", "c"], "{end:?}");
    }
}

#[test]
fn comments_other_fields_and_events_without_data_are_passed_over() {
    assert_eq!(data(": ping\n\nid: 1\nretry: 5\n\n:\ndata: a\n: x\n\nevent: e\n\ndatum: b\n\n"), ["a"]);
}

#[test]
fn an_event_has_the_last_name_given_and_only_one_space_is_taken() {
    assert_eq!(
        events("event: x\nevent:error\ndata:  a \n\ndata\n\n"),
        [("error".to_owned(), " a ".to_owned()), (String::new(), String::new())]
    );
}

#[test]
fn an_event_cut_off_by_the_end_is_yielded() {
    assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(data("data: a\n\ndata: b\n"), ["a", "b"]);
    assert_eq!(data("\u{feff}data: a"), ["a"]);
    assert!(data("").is_empty());
}

const END: EndMarker = EndMarker(Some("[END]"));

#[test]
fn a_stream_is_known_by_its_beginning() {
    for stream in ["data: {", "\n\nevent: x", ": x\n\ndata: [END]", "\u{feff}id:1\ndata:{}"] {
        assert!(looks_like_events(stream.as_bytes(), END), "{stream}");
    }
    for other in ["", "{\"data:\":1}", "hello", "database: x", "data: the new oil", "data: [DONE]"] {
        assert!(!looks_like_events(other.as_bytes(), END), "{other}");
    }
}
