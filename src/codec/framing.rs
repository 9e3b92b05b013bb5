//! Splits a stream into pieces of JSON, for any framing.

use std::borrow::Cow;

use super::allowance::Held;
use super::end_marker::EndMarker;
use super::frames::Frames;
use super::json;
use super::json::lenient;
use super::json_array::ArrayItems;
use super::ndjson::Lines;
use super::sse::{Event, Events};

/// How the pieces of a stream are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON value per line.
    Lines,
    /// A binary event stream.
    Frames,
    /// One JSON array.
    Array,
}

/// The pieces of a stream that is completely in memory. A line of JSON and an element of an array are
/// events without a name.
///
/// Some servers forget the blank lines between events. The standard joins such lines into one
/// unreadable event. Here each line is an event if each is a complete JSON value or the end marker.
pub(crate) struct Pieces<'a> {
    source: Source<'a>,
    end_marker: EndMarker,
    /// The lines of the previous event, if each is an event of its own.
    split: Option<Events<'a>>,
}

enum Source<'a> {
    Events(Events<'a>),
    Lines(Lines<'a>),
    Frames(Frames<'a>),
    Array(ArrayItems<'a>),
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(framing: Framing, end_marker: EndMarker, stream: &'a [u8]) -> Self {
        let source = match framing {
            Framing::Events => Source::Events(Events::new(stream)),
            Framing::Lines => Source::Lines(Lines::new(stream)),
            Framing::Frames => Source::Frames(Frames::new(stream)),
            Framing::Array => Source::Array(ArrayItems::new(stream)),
        };
        Self { source, end_marker, split: None }
    }

    /// The number of bytes left.
    pub(crate) fn left(&self) -> usize {
        let left = match &self.source {
            Source::Events(events) => events.left(),
            Source::Lines(lines) => lines.left(),
            Source::Frames(frames) => frames.left(),
            Source::Array(items) => items.left(),
        };
        left + self.split.as_ref().map_or(0, Events::left)
    }

    /// Whether the framing itself marked the end: with the bracket of an array.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(&self.source, Source::Array(items) if items.is_closed())
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        if let Some(lines) = &mut self.split {
            match lines.next() {
                Some(line) => return Some(line),
                None => self.split = None,
            }
        }
        let events = match &mut self.source {
            Source::Events(events) => events,
            Source::Lines(lines) => {
                return lines.next().map(|line| Event::new(b"", Cow::Borrowed(line)));
            }
            Source::Frames(frames) => return frames.next().map(Event::from),
            Source::Array(items) => {
                return items.next().map(|item| Event::new(b"", Cow::Borrowed(item)));
            }
        };
        let before = events.rest();
        let event = events.next()?;
        let Cow::Owned(joined) = &event.data else { return Some(event) };
        let whole = before.get(..before.len() - events.rest().len()).unwrap_or_default();
        let is_piece = |data: &[u8]| {
            data.trim_ascii().is_empty() || self.end_marker.is(data) || lenient::is_readable(data)
        };
        if lenient::is_readable(joined) || !Events::by_line(whole).all(|line| is_piece(&line.data)) {
            return Some(event);
        }
        let mut lines = Events::by_line(whole);
        let first = lines.next();
        self.split = Some(lines);
        first
    }
}

/// Repaired data of pieces that cannot be read in place: data over several lines, invalid UTF-8, or
/// numbers that JSON does not allow.
#[derive(Debug, Default)]
pub(crate) struct Mended {
    text: String,
    /// For each piece, the number of bytes left in the stream after it, and the end of its data in
    /// the text.
    places: Vec<(usize, usize)>,
    held: Held,
    /// The repair replaced something.
    pub(crate) is_changed: bool,
}

impl Mended {
    pub(crate) fn of(framing: Framing, end_marker: EndMarker, stream: &[u8]) -> Self {
        let mut mended = Self::default();
        let mut pieces = Pieces::new(framing, end_marker, stream);
        while let Some(Event { data, .. }) = pieces.next() {
            let is_borrowed = matches!(data, Cow::Borrowed(_));
            if is_borrowed && json::parse(&data).is_some() {
                continue;
            }
            let Some(text) = lenient::mended(&data) else { continue };
            let is_changed = *text.as_bytes() != *data;
            let has_room = mended.text.len() + text.len() <= stream.len() + lenient::MAX_GROWTH;
            if has_room && (is_changed || !is_borrowed) && mended.held.try_grow(1) {
                mended.is_changed |= is_changed;
                mended.text.push_str(&text);
                mended.places.push((pieces.left(), mended.text.len()));
            }
        }
        mended
    }

    /// The data of each piece, with the number of bytes left in the stream after it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut start = 0;
        self.places.iter().map(move |(left, end)| {
            let data = self.text.as_bytes().get(start..*end).unwrap_or_default();
            start = *end;
            (*left, data)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::allowance::Allowance;

    const END: EndMarker = EndMarker(Some("[END]"));

    fn pieces(framing: Framing, stream: &str) -> Vec<String> {
        let pieces = Pieces::new(framing, END, stream.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        pieces.map(|piece| text(piece.name) + "=" + &text(&piece.data)).collect()
    }

    #[test]
    fn lines_without_blank_ones_between_are_events_if_each_is_complete() {
        for (stream, events) in [
            ("data: {\"a\":1}\ndata: {}\ndata: [END]\n", vec!["={\"a\":1}", "={}", "=[END]"]),
            ("event: a\r\ndata: {}\r\nevent: b\r\ndata: [1]\r\n\r\ndata: 3", vec!["a={}", "b=[1]", "=3"]),
            ("data: {}\ndata\ndata: {\"a\":NaN}\n\n", vec!["={}", "=", "={\"a\":NaN}"]),
            ("data: {\ndata: \"a\":\ndata: 1}\n\n", vec!["={\n\"a\":\n1}"]),
            ("data: [1,\ndata: [2]\ndata: ]\n\n", vec!["=[1,\n[2]\n]"]),
            ("data: {}\ndata: {\"a\n\n", vec!["={}\n{\"a"]),
            ("data: a\ndata: b\n\n", vec!["=a\nb"]),
            ("data: {}\ndata: [DONE]\n\n", vec!["={}\n[DONE]"]),
            ("data: {}\n\n", vec!["={}"]),
        ] {
            assert_eq!(pieces(Framing::Events, stream), events, "{stream}");
        }
    }

    #[test]
    fn lines_of_json_are_events_without_a_name() {
        assert_eq!(pieces(Framing::Lines, "{}\n\n{\"a\":1}\r\n{"), ["={}", "={\"a\":1}", "={"]);
    }

    #[test]
    fn elements_of_an_array_are_events_without_a_name_and_its_bracket_is_the_end() {
        assert_eq!(pieces(Framing::Array, "[{}\n,\r\n{\"a\":\n1}"), ["={}", "={\"a\":\n1}"]);
        for (stream, is_closed) in [("[{}]", true), ("[{}", false), ("[{}\n,", false)] {
            let mut pieces = Pieces::new(Framing::Array, END, stream.as_bytes());
            assert_eq!((pieces.by_ref().count(), pieces.is_closed()), (1, is_closed), "{stream}");
        }
    }

    #[test]
    fn how_much_is_left_falls_with_every_piece_of_an_event() {
        let mut pieces = Pieces::new(Framing::Events, END, b"data: 1\ndata: 2\n\ndata: 3\n\n");
        let mut left = Vec::new();
        while pieces.next().is_some() {
            left.push(pieces.left());
        }
        assert_eq!(left, [18, 10, 0]);
    }

    #[test]
    fn only_data_that_cannot_be_read_where_it_stands_is_held_again() {
        let stream =
            b"data: {}\n\ndata: \"\xff\"\n\ndata: x\n\ndata: [\ndata: 1]\n\ndata: [NaN]\n\ndata: {\"\n\n";
        let mended = Mended::of(Framing::Events, END, stream);
        let data: Vec<_> = mended.iter().map(|(_, data)| str::from_utf8(data).unwrap()).collect();
        assert_eq!(data, ["\"\u{fffd}\"", "[\n1]", "[\"NaN\"]"]);
        assert!(mended.is_changed);
        assert!(!Mended::of(Framing::Events, END, b"data: [\ndata: 1]").is_changed);
    }

    #[test]
    fn pieces_that_are_mended_take_one_pass_and_are_held_within_the_allowance() {
        let mend = |pieces: usize, nodes: usize| {
            let stream = "data:{\"a\":NaN}\n\n".repeat(pieces);
            let allowance = Allowance { work: 1 << 20, nodes };
            let (places, cost) = allowance.within(|| {
                let mended = Mended::of(Framing::Events, END, stream.as_bytes());
                assert!(mended.is_changed);
                mended.places.len()
            });
            assert!(!cost.is_exhausted);
            (places, cost.left_out, cost.work)
        };
        let (places, left_out, work) = mend(100, 100);
        assert_eq!((places, left_out), (100, 0));
        assert_eq!(mend(1_000, 1_000), (1_000, 0, 10 * work));
        let (places, left_out, _) = mend(1_000, 60);
        assert_eq!((places, left_out), (60, 940));
    }
}
