//! What the caller's task hands over: a request and its response, as raw bytes.

mod head;
mod tail;

use std::ops::Deref;
use std::time::Instant;
use std::{fmt, mem};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

pub(crate) use self::head::{Head, MediaType};
pub(crate) use self::tail::Tail;
use crate::budget::{Budget, Reservation};
use crate::identity::Identity;
use crate::provider::RequestTarget;
use crate::provider::operation::Operation;

/// Frames of at least this size are kept by reference, smaller ones are copied. A frame is a slice
/// of the connection's read buffer, and keeping it keeps the whole buffer (a trickled HTTP/1 stream
/// was seen to hold 38 times its size).
pub(crate) const KEEP_BY_REFERENCE: usize = 8 * 1024;

/// One call of the inner service.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) reservation: Reservation,
    /// Whether the budget had room for the whole exchange. If not, it is not reported.
    pub(crate) has_room: bool,
    pub(crate) operation: Operation,
    /// The request beside its body, if the report needs it.
    pub(crate) target: Option<Box<RequestTarget>>,
    pub(crate) identity: Identity,
    /// When the request entered the layer.
    pub(crate) started: Instant,
    /// When the last byte of the response left the layer, or when the call ended without a response.
    pub(crate) finished: Instant,
    pub(crate) request: RecordedMessage,
    pub(crate) result: CallResult,
}

/// What the inner service returned for a request.
#[derive(Debug, Default)]
pub(crate) enum CallResult {
    /// The caller cancelled the call before there was a response.
    #[default]
    Cancelled,
    /// An error instead of a response.
    Failed,
    /// A response, whole or in part.
    Response(Box<Response>),
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    /// The request id that the server sent, if it is to be reported.
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) message: RecordedMessage,
}

/// A body, with the headers that are needed to read it.
#[derive(Debug, Default)]
pub(crate) struct RecordedMessage {
    pub(crate) head: Head,
    pub(crate) body: Recording,
}

/// The recording of a body.
#[derive(Default)]
pub(crate) struct Recording {
    /// The kept bytes, in order.
    pub(crate) pieces: Vec<BodyPiece>,
    /// The number of bytes that passed, including those that were not kept.
    pub(crate) passed: u64,
    /// The number of bytes charged to the budget for it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the exchange's reservation has taken it over"))]
    pub(crate) charged: usize,
    pub(crate) ended: BodyEnd,
    /// Whether the budget had no room for the body. Nothing is kept then.
    pub(crate) over_budget: bool,
    /// When frames passed, if that was recorded.
    pub(crate) marks: Vec<Mark>,
    /// The last bytes, if there were more than are kept.
    pub(crate) tail: Option<Box<Tail>>,
}

/// Some of the kept bytes.
pub(crate) enum BodyPiece {
    /// Copied from frames.
    Block(BytesMut),
    /// The frame itself.
    Frame(Bytes),
}

/// A moment at which a body had passed up to an offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) passed: u64,
    pub(crate) at: Instant,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// It was dropped before its end.
    #[default]
    Dropped,
    /// It returned an error, or panicked.
    Broken,
    /// It was read to its end.
    Complete,
}

impl Exchange {
    /// Copies the frames that are kept by reference. Returns the number of bytes copied.
    pub(crate) fn compact(&mut self) -> usize {
        let answered = match &mut self.result {
            CallResult::Response(response) => response.message.body.compact(),
            CallResult::Cancelled | CallResult::Failed => 0,
        };
        self.request.body.compact() + answered
    }
}

impl RecordedMessage {
    /// Whether the whole body passed. Servers stop polling once they have written as many bytes as
    /// `content-length` said, so such a body may look dropped.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.ended == BodyEnd::Complete
            || self.body.ended == BodyEnd::Dropped && self.head.length == Some(self.body.passed)
    }
}

/// Shows sizes, and nothing of the content.
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("passed", &self.passed)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Recording {
    fn compact(&mut self) -> usize {
        let mut copied = 0;
        for piece in &mut self.pieces {
            if let BodyPiece::Frame(frame) = piece
                && frame.len() >= KEEP_BY_REFERENCE
            {
                *frame = Bytes::copy_from_slice(frame);
                copied += frame.len();
            }
        }
        copied
    }

    #[cfg(test)]
    pub(crate) fn into_bytes(mut self, budget: &Budget) -> Bytes {
        self.join(budget)
    }

    /// The number of bytes kept.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    /// Joins the kept bytes into one piece, and returns the blocks to the pool.
    pub(crate) fn join(&mut self, budget: &Budget) -> Bytes {
        let whole = match self.pieces.as_mut_slice() {
            [BodyPiece::Frame(frame)] => return frame.clone(),
            // The block was made for a body of this size.
            [BodyPiece::Block(block)] if block.len() == block.capacity() => mem::take(block).freeze(),
            _ => {
                let mut whole = BytesMut::with_capacity(self.len());
                for piece in self.pieces.drain(..) {
                    whole.extend_from_slice(&piece);
                    if let BodyPiece::Block(block) = piece {
                        budget.give_back(block);
                    }
                }
                whole.freeze()
            }
        };
        self.pieces = vec![BodyPiece::Frame(whole.clone())];
        whole
    }
}

impl Deref for BodyPiece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Block(block) => block,
            Self::Frame(frame) => frame,
        }
    }
}
