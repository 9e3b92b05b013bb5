use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, mem};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::in_flight::InFlight;
use super::recorder::Recorder;
use super::{Answer, Ended, Head, MediaType, Message, Response};
use crate::budget::Budget;
use crate::identity::Identity;

/// One of the two that an exchange consists of. Whoever records it owns it meanwhile, and ends it.
pub(crate) trait Part {
    /// Its body.
    fn side(&mut self) -> &mut Side;

    /// Gives it back to its exchange.
    fn put_back(self: Box<Self>, to: &InFlight);
}

/// Where exchanges go when they have ended.
pub(crate) trait HandOver: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// What bodies are charged to.
    fn budget(&self) -> &Budget;

    /// Wakes whoever takes them, if it sleeps.
    fn announce(&self);

    /// Hands one over.
    fn hand_over(&self, exchange: Arc<InFlight>);
}

/// The way that a part goes when it has ended.
pub(super) struct Way {
    pub(super) exchange: Arc<InFlight>,
    pub(super) out: Arc<dyn HandOver>,
}

/// One body: all that there is of a request.
#[derive(Default)]
pub(crate) struct Side {
    head: Head,
    recorder: Recorder,
    ended: Ended,
    /// `None` while nobody records it.
    way: Option<Way>,
}

/// A response, or what there is instead.
#[derive(Default)]
pub(crate) struct Answering {
    side: Side,
    given: Given,
    request_id: Option<Box<str>>,
    finished: Option<Instant>,
    /// Moments and ids are to be noted.
    with_metadata: bool,
}

#[derive(Debug, Default)]
enum Given {
    #[default]
    Nothing,
    Failure,
    Response(StatusCode),
}

/// Ends a part; the last one hands the exchange over.
#[inline(always)]
pub(crate) fn end<P: Part>(mut part: Box<P>) {
    let Some(Way { exchange, out }) = part.side().way.take() else { return };
    part.put_back(&exchange);
    if exchange.close_one() {
        let is_announced = exchange.is_announced();
        out.hand_over(exchange);
        // A call that was never polled has not woken the worker. Nobody waits for the end of such a one.
        if !is_announced {
            out.announce();
        }
    }
}

impl Side {
    #[inline(always)]
    pub(super) fn begin(&mut self, headers: &HeaderMap, way: Way) {
        self.head.read(headers);
        self.way = Some(way);
    }

    #[inline(always)]
    pub(crate) fn record(&mut self, frame: &Bytes) {
        let Some(Way { out, .. }) = &self.way else { return };
        self.recorder.record(frame, || out.budget());
    }

    /// Says how the body ends, if nothing else is said.
    #[inline]
    pub(crate) fn end_as(&mut self, ended: Ended) {
        self.ended = ended;
    }

    pub(super) fn take(&mut self) -> Message {
        Message { head: mem::take(&mut self.head), body: self.recorder.finish(mem::take(&mut self.ended)) }
    }

    /// How many bytes of the budget are charged for it.
    pub(super) fn charged(&self) -> usize {
        self.recorder.charged()
    }
}

impl Answering {
    #[inline(always)]
    pub(super) fn begin(&mut self, way: Way, with_metadata: bool) {
        self.with_metadata = with_metadata;
        self.side.way = Some(way);
    }

    /// Wakes whoever takes the exchange, if it sleeps. The first time, it is told what is said around it.
    #[inline(always)]
    pub(crate) fn announce(&self, around: impl FnOnce() -> Option<Identity>) {
        let Some(Way { exchange, out }) = &self.side.way else { return };
        if exchange.announce()
            && let Some(around) = around()
        {
            exchange.set_around(around);
        }
        out.announce();
    }

    /// There is a response.
    pub(crate) fn respond(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.given = Given::Response(status);
        self.side.head.read(headers);
        self.side.recorder.expect(self.side.head.media_type == MediaType::EventStream, self.with_metadata);
        if self.with_metadata {
            self.request_id = request_id(headers);
        }
    }

    /// There is an error instead of a response.
    pub(crate) fn fail(&mut self) {
        self.given = Given::Failure;
    }

    /// What was given, and when its last byte was.
    pub(super) fn take(&mut self) -> (Answer, Option<Instant>) {
        let Self { side, given, request_id, finished, .. } = self;
        let (message, request_id) = (side.take(), request_id.take());
        let answer = match mem::take(given) {
            Given::Nothing => Answer::None,
            Given::Failure => Answer::Failed,
            Given::Response(status) => Answer::Response(Box::new(Response { status, request_id, message })),
        };
        (answer, finished.take())
    }

    pub(super) fn charged(&self) -> usize {
        self.side.charged()
    }
}

#[cold]
#[inline(never)]
fn request_id(headers: &HeaderMap) -> Option<Box<str>> {
    headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(Box::from)
}

impl Part for Side {
    #[inline(always)]
    fn side(&mut self) -> &mut Side {
        self
    }

    #[inline(always)]
    fn put_back(self: Box<Self>, to: &InFlight) {
        to.request.store(Some(self));
    }
}

impl Part for Answering {
    #[inline(always)]
    fn side(&mut self) -> &mut Side {
        &mut self.side
    }

    #[inline(always)]
    fn put_back(mut self: Box<Self>, to: &InFlight) {
        self.finished = Some(Instant::now());
        to.response.store(Some(self));
    }
}

/// Shows nothing of the content.
impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("recorder", &self.recorder).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("side", &self.side).finish_non_exhaustive()
    }
}
