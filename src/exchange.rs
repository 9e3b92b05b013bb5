//! What the caller's task hands over: one request and what became of it, as raw bytes.

use std::fmt;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::budget::Admission;
use crate::endpoint::Endpoint;
use crate::identity::Identity;

/// One call of the inner service.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) admission: Admission,
    pub(crate) endpoint: Endpoint,
    pub(crate) identity: Identity,
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
    Response(Box<Response>),
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    /// `x-request-id`, if it is to be reported.
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) message: Message,
}

/// A body with the headers that say how to read it.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) body: Recording,
}

/// What the headers say of how to read a body. Nothing in it refers to the headers themselves: a header value is a
/// slice of the connection's read buffer, and would keep all of it in memory.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) media_type: MediaType,
    /// The codings, in the order in which they were applied; empty for a body that is not encoded.
    pub(crate) codings: Box<str>,
    length: Option<u64>,
}

/// The type of a body, without parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum MediaType {
    #[default]
    Unknown,
    Json,
    EventStream,
    /// A form. The whole value, which names the boundary of its parts.
    Form(Box<str>),
    Other(Box<str>),
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
    /// When frames passed, if that is to be known.
    pub(crate) marks: Vec<Mark>,
}

/// A moment at which a body had passed up to an offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) passed: u64,
    pub(crate) at: Instant,
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

impl Head {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let length =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self {
            media_type: headers.get(header::CONTENT_TYPE).map(MediaType::of).unwrap_or_default(),
            codings: codings(headers),
            length,
        }
    }
}

/// The values of all `content-encoding` lines. One that is no text becomes a coding that nobody knows.
fn codings(headers: &HeaderMap) -> Box<str> {
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return Box::default();
    }
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    lines.map(|line| line.to_str().unwrap_or("?")).collect::<Vec<_>>().join(",").into()
}

impl MediaType {
    fn of(value: &HeaderValue) -> Self {
        let value = value.as_bytes();
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let name = value.get(..end).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else if name.eq_ignore_ascii_case(b"text/event-stream") {
            Self::EventStream
        } else if name.eq_ignore_ascii_case(b"multipart/form-data") {
            Self::Form(String::from_utf8_lossy(value).into())
        } else if name.is_empty() {
            Self::Unknown
        } else {
            Self::Other(String::from_utf8_lossy(name).into())
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Json => Some("application/json"),
            Self::EventStream => Some("text/event-stream"),
            Self::Form(_) => Some("multipart/form-data"),
            Self::Other(name) => Some(name),
        }
    }
}

impl Message {
    /// Whether all of the body passed. Servers stop polling a body once they have written as many bytes as
    /// `content-length` said, so such a body may look dropped.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.ended == Ended::Complete
            || self.body.ended == Ended::Dropped && self.head.length == Some(self.body.passed)
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
