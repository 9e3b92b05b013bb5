use std::sync::atomic::{Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use std::{fmt, mem};

use http::HeaderMap;

use super::part::{Answering, HandOver, Side, Way};
use super::{Answer, Exchange};
use crate::budget::Admission;
use crate::endpoint::Endpoint;
use crate::identity::{Attributed, Identity};
use crate::sync::{AtomicBool, AtomicCell, AtomicU8, Mutex, MutexGuard};

/// One exchange while it is under way, in one place: what is said of it, and what each of its parts has recorded once that
/// has ended.
///
/// It is held by its request body and by whatever stands for its response, which end in any order, on any thread.
pub(crate) struct InFlight {
    endpoint: Endpoint,
    /// When the request entered the layer.
    started: Instant,
    /// The parts that have not ended.
    open: AtomicU8,
    is_announced: AtomicBool,
    terms: Mutex<Terms>,
    /// What ended, and between exchanges what is to be used again.
    pub(super) request: AtomicCell<Option<Box<Side>>>,
    pub(super) response: AtomicCell<Option<Box<Answering>>>,
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

impl InFlight {
    pub(crate) fn new(admission: Admission, endpoint: Endpoint, identity: Identity) -> Self {
        Self {
            endpoint,
            started: Instant::now(),
            open: AtomicU8::new(2),
            is_announced: AtomicBool::new(false),
            terms: Mutex::new(Terms { admission: Some(admission), identity, later: None }),
            request: AtomicCell::default(),
            response: AtomicCell::default(),
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
        if terms.later.is_some() {
            terms.later = None;
        }
    }

    /// Gives its parts away, to be recorded, with moments and ids if asked for. The last of them that ends goes `out` with it.
    #[inline(always)]
    pub(crate) fn parts(
        self: Arc<Self>,
        headers: &HeaderMap,
        with_metadata: bool,
        out: Arc<dyn HandOver>,
    ) -> (Box<Side>, Box<Answering>) {
        let mut request = self.request.take().unwrap_or_default();
        let mut response = self.response.take().unwrap_or_default();
        request.begin(headers, Way { exchange: Arc::clone(&self), out: Arc::clone(&out) });
        response.begin(Way { exchange: self, out }, with_metadata);
        (request, response)
    }

    /// One of its parts has ended. Returns whether it was the last: of several threads that get here at once, exactly one.
    #[inline(always)]
    pub(super) fn close_one(&self) -> bool {
        self.open.fetch_sub(1, AcqRel) == 1
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
    #[cold]
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
        let mut side = self.request.take();
        let request = side.as_mut().map(|side| side.take()).unwrap_or_default();
        self.request.store(side);
        let mut answering = self.response.take();
        let (answer, finished) = answering.as_mut().map(|answering| answering.take()).unwrap_or_default();
        self.response.store(answering);
        let charged = match &answer {
            Answer::Response(response) => response.message.body.charged,
            Answer::None | Answer::Failed => 0,
        };
        admission.own(request.body.charged + charged);
        let (endpoint, started) = (self.endpoint, self.started);
        let finished = finished.unwrap_or_else(Instant::now);
        Some(Exchange { admission, endpoint, identity, started, finished, request, answer })
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
        admission.own(self.request.take().map_or(0, |side| side.charged()));
        admission.own(self.response.take().map_or(0, |answering| answering.charged()));
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
