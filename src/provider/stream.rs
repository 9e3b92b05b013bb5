//! How a stream becomes the object that the unstreamed call would have returned, for any provider.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::operation::Operation;
use crate::codec::allowance;
use crate::codec::framing::{Framing, Mended, Pieces};
use crate::codec::json::{self, Node};

/// A recorded stream.
pub(crate) struct Events<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) framing: Framing,
    /// Data that cannot be read where they stand. It is rare, and outlives what is assembled from it.
    pub(crate) mended: &'a OnceCell<Mended>,
    /// Marks in the result that the stream went on, if it did.
    pub(crate) truncated: Option<Node<'a>>,
}

/// What is known of a stream so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Whether it said by itself that it is whole: with a marker, with a terminal event, or with one event that carries the
    /// whole answer.
    pub(crate) is_done: bool,
    /// Whether every choice of a chat or completion has a finish reason.
    pub(crate) is_finished: bool,
    /// Whether it carried an error.
    pub(crate) has_error: bool,
    /// Events that were no end.
    pub(crate) chunks: u64,
    /// Events among them, and choices in them, that could not be read.
    pub(crate) skipped: u64,
    /// Whether there was a text, tool call, refusal or reasoning yet.
    pub(crate) has_token: bool,
}

/// What a stream adds up to.
#[derive(Debug)]
pub(crate) struct Assembled {
    /// JSON text.
    pub(crate) json: String,
    pub(crate) progress: Progress,
    /// How many bytes had passed when the first text, tool call, refusal or reasoning was there.
    pub(crate) first_token: Option<u64>,
}

/// Puts a stream together, one event after the other.
pub(crate) trait StreamAssembler<'a>: Default {
    /// Takes in one event. Returns whether its data could be read; if not, nothing has changed.
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool;

    /// Marks that the stream went on after what is here.
    fn mark_truncated(&mut self, mark: Node<'a>);

    /// The whole, as JSON text.
    fn finish(self, operation: Operation, progress: &mut Progress) -> String;
}

/// Drives an assembler over a stream. It is generic, so that one indirect call a stream is enough.
pub(crate) fn assemble<'a, A: StreamAssembler<'a>>(events: Events<'a>, operation: Operation) -> Assembled {
    let Events { bytes, framing, mended, truncated } = events;
    let is_utf8 = json::is_utf8(bytes);
    let (mut assembler, mut progress) = (A::default(), Progress::default());
    let (mut first_token, mut elsewhere) = (None, None);
    let mut pieces = Pieces::new(framing, bytes);
    allowance::examine(bytes.len());
    while let Some(event) = pieces.next() {
        if allowance::is_exhausted() {
            break;
        }
        let is_read = match event.data {
            Cow::Borrowed(data) if is_utf8 || json::is_utf8(data) => {
                assembler.push(event.name, data, &mut progress)
            }
            _ => false,
        };
        if !is_read {
            let left = pieces.left();
            let elsewhere = elsewhere
                .get_or_insert_with(|| mended.get_or_init(|| Mended::of(framing, bytes)).iter().peekable());
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
    if let Some(mark) = truncated {
        assembler.mark_truncated(mark);
    }
    let json = assembler.finish(operation, &mut progress);
    Assembled { json, progress, first_token }
}

impl Progress {
    /// Counts an event whose data cannot be read.
    pub(crate) fn skip(&mut self) {
        self.chunks += 1;
        self.skipped += 1;
    }
}
