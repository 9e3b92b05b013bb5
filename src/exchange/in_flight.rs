use std::sync::PoisonError;
use std::sync::atomic::{Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::time::Instant;
use std::{fmt, mem};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::recorder::Recorder;
use super::{Answer, Ended, Exchange, Head, MediaType, Message, Response};
use crate::budget::{Admission, Budget};
use crate::endpoint::Endpoint;
use crate::identity::{Attributed, Identity};
use crate::sync::{AtomicBool, AtomicU8, Mutex, MutexGuard};

/// One exchange while it is under way, in one place: what is said of it, and what each of its parts has recorded once that
/// has ended.
///
/// It is held by its request body and by whatever stands for its response. Each of its locks has one user at a time; they
/// are there because the parts end in any order, on any thread.
pub(crate) struct InFlight {
    endpoint: Endpoint,
    /// When the request entered the layer.
    started: Instant,
    /// The parts that have not ended.
    open: AtomicU8,
    is_announced: AtomicBool,
    terms: Mutex<Terms>,
    request: Mutex<Option<Box<Side>>>,
    response: Mutex<Option<Box<Answering>>>,
}

/// On which terms it is reported.
#[derive(Debug)]
struct Terms {
    /// `None` once it was taken for the report.
    admission: Option<Admission>,
    identity: Identity,
    later: Option<Box<Later>>,
}

/// What is said of an exchange while it is under way.
#[derive(Debug, Default)]
struct Later {
    /// By the scope in which it is first polled.
    around: Identity,
    /// By the application.
    said: Identity,
}

/// One of the two that an exchange consists of. Whoever records it owns it meanwhile.
pub(crate) trait Part {
    /// Its body.
    fn side(&mut self) -> &mut Side;

    /// Ends it. Returns whether it was the last: of several threads that get here at once, exactly one.
    fn end(self: Box<Self>, of: &InFlight) -> bool;
}

/// One body: all that there is of a request.
#[derive(Debug, Default)]
pub(crate) struct Side {
    head: Head,
    recorder: Recorder,
    ended: Ended,
}

/// A response, or what there is instead.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    side: Side,
    given: Given,
    request_id: Option<Box<str>>,
    finished: Option<Instant>,
}

#[derive(Debug, Default)]
enum Given {
    #[default]
    Nothing,
    Failure,
    Response(StatusCode),
}

impl InFlight {
    pub(crate) fn new(admission: Admission, endpoint: Endpoint, identity: Identity) -> Self {
        Self {
            endpoint,
            started: Instant::now(),
            open: AtomicU8::new(2),
            is_announced: AtomicBool::new(false),
            terms: Mutex::new(Terms { admission: Some(admission), identity, later: None }),
            request: Mutex::new(None),
            response: Mutex::new(None),
        }
    }

    /// Begins another exchange in the place of one that has landed.
    pub(crate) fn begin(&mut self, admission: Admission, endpoint: Endpoint, identity: Identity) {
        self.endpoint = endpoint;
        self.started = Instant::now();
        self.open = AtomicU8::new(2);
        self.is_announced = AtomicBool::new(false);
        let terms = unlocked(&mut self.terms);
        terms.admission = Some(admission);
        terms.identity = identity;
        // What was said too late for the exchange before.
        terms.later = None;
    }

    /// Gives its parts away, to be recorded.
    pub(crate) fn parts(&mut self, head: Head) -> (Box<Side>, Box<Answering>) {
        let mut request = unlocked(&mut self.request).take().unwrap_or_default();
        request.head = head;
        (request, unlocked(&mut self.response).take().unwrap_or_default())
    }

    /// Whether this is the first time that it is asked. Only the response's side does: one task at a time.
    pub(crate) fn announce(&self) -> bool {
        let is_first = !self.is_announced.load(Relaxed);
        if is_first {
            self.is_announced.store(true, Relaxed);
        }
        is_first
    }

    pub(crate) fn is_announced(&self) -> bool {
        self.is_announced.load(Relaxed)
    }

    /// Takes over what is said by the scope around it.
    pub(crate) fn set_around(&self, around: Identity) {
        lock(&self.terms).later.get_or_insert_default().around = around;
    }

    /// Takes out all that is to be reported; `None` if it was taken before.
    pub(crate) fn land(&self) -> Option<Exchange> {
        let (mut admission, mut identity, later) = {
            let mut terms = lock(&self.terms);
            (terms.admission.take()?, mem::take(&mut terms.identity), terms.later.take())
        };
        let Later { around, said } = later.map(|later| *later).unwrap_or_default();
        identity = identity.or(around);
        identity.change(said);
        let request = lock(&self.request).as_mut().map(|side| side.take()).unwrap_or_default();
        let (message, given, request_id, finished) =
            lock(&self.response).as_mut().map(|answering| answering.take()).unwrap_or_default();
        admission.own(request.body.charged + message.body.charged);
        let answer = match given {
            Given::Nothing => Answer::None,
            Given::Failure => Answer::Failed,
            Given::Response(status) => Answer::Response(Box::new(Response { status, request_id, message })),
        };
        let (endpoint, started) = (self.endpoint, self.started);
        let finished = finished.unwrap_or_else(Instant::now);
        Some(Exchange { admission, endpoint, identity, started, finished, request, answer })
    }
}

impl Side {
    #[inline(always)]
    pub(crate) fn record(&mut self, frame: &Bytes, budget: &Budget) {
        self.recorder.record(frame, budget);
    }

    /// Says how the body ends, if nothing else is said.
    #[inline]
    pub(crate) fn end_as(&mut self, ended: Ended) {
        self.ended = ended;
    }

    fn take(&mut self) -> Message {
        Message { head: mem::take(&mut self.head), body: self.recorder.finish(mem::take(&mut self.ended)) }
    }
}

impl Answering {
    /// There is a response.
    pub(crate) fn respond(&mut self, status: StatusCode, headers: &HeaderMap, with_metadata: bool) {
        let head = Head::of(headers);
        self.given = Given::Response(status);
        self.side.recorder.expect(head.media_type == MediaType::EventStream, with_metadata);
        self.side.head = head;
        if with_metadata {
            let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
            self.request_id = request_id.map(Box::from);
        }
    }

    /// There is an error instead of a response.
    pub(crate) fn fail(&mut self) {
        self.given = Given::Failure;
    }

    fn take(&mut self) -> (Message, Given, Option<Box<str>>, Option<Instant>) {
        let Self { side, given, request_id, finished } = self;
        (side.take(), mem::take(given), request_id.take(), finished.take())
    }
}

impl Part for Side {
    #[inline(always)]
    fn side(&mut self) -> &mut Side {
        self
    }

    fn end(self: Box<Self>, of: &InFlight) -> bool {
        *lock(&of.request) = Some(self);
        of.open.fetch_sub(1, AcqRel) == 1
    }
}

impl Part for Answering {
    #[inline(always)]
    fn side(&mut self) -> &mut Side {
        &mut self.side
    }

    fn end(mut self: Box<Self>, of: &InFlight) -> bool {
        self.finished = Some(Instant::now());
        *lock(&of.response) = Some(self);
        of.open.fetch_sub(1, AcqRel) == 1
    }
}

impl Attributed for InFlight {
    fn change(&self, later: Identity) {
        if self.is_open() {
            lock(&self.terms).later.get_or_insert_default().said.change(later);
        }
    }

    fn is_open(&self) -> bool {
        self.open.load(Acquire) > 0
    }
}

/// Shows nothing of the exchange.
impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

/// What nobody takes gives back the room that it took.
impl Drop for InFlight {
    fn drop(&mut self) {
        let Some(admission) = &mut unlocked(&mut self.terms).admission else { return };
        let charged = |side: &Side| side.recorder.charged();
        admission.own(unlocked(&mut self.request).as_deref().map_or(0, charged));
        admission
            .own(unlocked(&mut self.response).as_deref().map_or(0, |answering| charged(&answering.side)));
    }
}

#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is in a lock that nobody else can have.
#[inline]
fn unlocked<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}
