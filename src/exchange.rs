//! What the caller's task hands over: one request and what became of it, as raw bytes.

use std::fmt;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::budget::Admission;
use crate::endpoint::Endpoint;
use crate::identity::{Session, User};

/// One call of the inner service.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) admission: Admission,
    pub(crate) endpoint: Endpoint,
    pub(crate) user: Option<User>,
    pub(crate) session: Option<Session>,
    /// When the request entered the layer.
    pub(crate) started: Instant,
    /// When the last byte of the response left it, or when it was known that none would.
    pub(crate) finished: Instant,
    pub(crate) request: Message,
    pub(crate) answer: Answer,
}

/// What the inner service gave for a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing: the caller went away before there was a response.
    None,
    /// An error instead of a response.
    Failed,
    /// A response, whole or in part.
    Response(StatusCode, Message),
}

/// A body with the headers that say how to read it.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) body: Recording,
}

/// The headers that say how to read a body. A clone of a header value costs a reference count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) content_type: Option<HeaderValue>,
    /// One header line or, rarely, several.
    pub(crate) content_encoding: Vec<HeaderValue>,
    pub(crate) content_length: Option<HeaderValue>,
}

/// What was kept of a body.
#[derive(Default)]
pub(crate) struct Recording {
    /// The kept bytes, in order.
    pub(crate) pieces: Vec<Bytes>,
    /// How many bytes passed, kept or not.
    pub(crate) passed: u64,
    /// How many bytes of the budget are charged for what is kept.
    pub(crate) charged: usize,
    pub(crate) ended: Ended,
    /// The budget had no room for it: nothing is kept.
    pub(crate) over_budget: bool,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was dropped before its end.
    #[default]
    Dropped,
    /// It returned an error.
    Broken,
    /// It was read to its end.
    Complete,
}

/// How an exchange ended, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The model answered, and the answer was read to its end.
    Answered,
    /// The answer had a status other than a success.
    Refused,
    /// There was no answer: the inner service returned an error.
    Failed,
    /// The answer broke off, or carried an error in mid-stream.
    Interrupted,
    /// The caller went away before the end of the answer.
    Abandoned,
}

impl Head {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            content_type: headers.get(header::CONTENT_TYPE).cloned(),
            content_encoding: headers.get_all(header::CONTENT_ENCODING).iter().cloned().collect(),
            content_length: headers.get(header::CONTENT_LENGTH).cloned(),
        }
    }

    /// The media type, without parameters, as sent.
    pub(crate) fn media_type(&self) -> Option<&str> {
        let value = self.content_type.as_ref()?.to_str().ok()?;
        value.split(';').next().map(str::trim).filter(|media_type| !media_type.is_empty())
    }

    fn length(&self) -> Option<u64> {
        self.content_length.as_ref()?.to_str().ok()?.trim().parse().ok()
    }
}

impl Message {
    /// Whether all of the body passed. Servers stop polling a body once they have written as many bytes as
    /// `content-length` said, so such a body may look dropped.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.ended == Ended::Complete
            || self.body.ended == Ended::Dropped && self.head.length() == Some(self.body.passed)
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
    /// The kept bytes in one piece.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        if self.pieces.len() < 2 {
            return self.pieces.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.pieces.iter().map(Bytes::len).sum());
        for piece in self.pieces {
            whole.extend_from_slice(&piece);
        }
        whole.freeze()
    }
}
