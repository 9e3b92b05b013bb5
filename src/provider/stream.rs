//! Assembles a stream of any provider into the object that the unstreamed call would have returned.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::operation::Operation;
use crate::codec::allowance;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::{Framing, Mended, Pieces};
use crate::codec::json::{self, Node};

/// A recorded stream.
pub(crate) struct RecordedStream<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) framing: Framing,
    pub(crate) end_marker: EndMarker,
    /// Repaired copies of unreadable data. They are rare, and outlive the assembler that borrows
    /// from them.
    pub(crate) mended: &'a OnceCell<Mended>,
    /// The mark to add to the result if the recording is truncated.
    pub(crate) truncated: Option<Node<'a>>,
    /// Charges the budget for memory beside the recording. Returns whether there is room.
    pub(crate) charge: &'a dyn Fn(usize) -> bool,
}

/// The state of a stream so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Whether the stream marked its end: with a marker, a terminal event, or one event that
    /// carries the whole response.
    pub(crate) is_done: bool,
    /// Whether every choice of a chat or completion has a finish reason.
    pub(crate) is_finished: bool,
    /// Whether the stream carried an error.
    pub(crate) has_error: bool,
    /// The number of events other than end markers.
    pub(crate) chunks: u64,
    /// The number of those events, and of choices in them, that could not be read.
    pub(crate) skipped: u64,
    /// Whether a text, tool call, refusal or reasoning has arrived.
    pub(crate) has_token: bool,
}

/// An assembled stream.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) json: String,
    pub(crate) progress: Progress,
    /// The number of bytes before the first text, tool call, refusal or reasoning.
    pub(crate) first_token: Option<u64>,
}

/// Assembles a stream, one event after the other.
pub(crate) trait StreamAssembler<'a>: Default {
    /// Adds one event with data that is not an end marker. Returns whether the data was readable;
    /// if not, the state is unchanged.
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool;

    /// Marks the result as truncated.
    fn mark_truncated(&mut self, mark: Node<'a>);

    /// Returns the result as JSON text.
    fn finish(self, operation: Operation, progress: &mut Progress) -> String;
}

/// Drives an assembler over a stream. It is generic, so that one indirect call per stream is
/// enough.
pub(crate) fn assemble<'a, A: StreamAssembler<'a>>(
    stream: RecordedStream<'a>,
    operation: Operation,
) -> Assembled {
    let RecordedStream { bytes, framing, end_marker, mended, truncated, .. } = stream;
    let is_utf8 = json::is_utf8(bytes);
    let (mut assembler, mut progress) = (A::default(), Progress::default());
    let (mut first_token, mut elsewhere) = (None, None);
    let mut pieces = Pieces::new(framing, end_marker, bytes);
    allowance::examine(bytes.len());
    while let Some(event) = pieces.next() {
        if allowance::is_exhausted() {
            break;
        }
        if end_marker.is(&event.data) {
            progress.is_done = true;
            continue;
        }
        let is_read = match event.data {
            // A keep-alive.
            Cow::Borrowed(b"") => true,
            Cow::Borrowed(data) if is_utf8 || json::is_utf8(data) => {
                assembler.push(event.name, data, &mut progress)
            }
            _ => false,
        };
        if !is_read {
            let left = pieces.left();
            let elsewhere = elsewhere.get_or_insert_with(|| {
                mended.get_or_init(|| Mended::of(framing, end_marker, bytes)).iter().peekable()
            });
            while elsewhere.next_if(|(place, _)| *place > left).is_some() {}
            match elsewhere.next_if(|(place, _)| *place == left) {
                Some((_, data)) if assembler.push(event.name, data, &mut progress) => {}
                _ => progress.skip(),
            }
        }
        if progress.has_token && first_token.is_none() {
            first_token = Some((bytes.len() - pieces.left()) as u64);
        }
    }
    progress.is_done |= pieces.is_closed();
    if let Some(mark) = truncated {
        assembler.mark_truncated(mark);
    }
    let json = assembler.finish(operation, &mut progress);
    Assembled { json, progress, first_token }
}

impl Progress {
    /// Counts an unreadable event.
    pub(crate) fn skip(&mut self) {
        self.chunks += 1;
        self.skipped += 1;
    }
}
