use std::sync::atomic::{Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use std::{fmt, mem};

use super::part::Part;
use crate::budget::Place;
use crate::endpoint::Endpoint;
use crate::identity::{Attributed, Identity};
use crate::sync::{AtomicBool, AtomicCell, Mutex, MutexGuard};

/// One exchange while it is under way, in one place: what is said of it, and the part of it that has ended first.
///
/// It is held by its request body and by whatever stands for its response, which end in any order, on any thread.
pub(crate) struct InFlight {
    endpoint: Endpoint,
    /// When the request entered the layer.
    started: Instant,
    is_open: AtomicBool,
    is_announced: AtomicBool,
    terms: Mutex<Terms>,
    /// The part that has ended; of both, the last.
    ended: AtomicCell<Option<Box<Part>>>,
}

/// On which terms it is reported.
#[derive(Debug)]
struct Terms {
    /// `None` once it was taken for the report.
    place: Option<Place>,
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

/// What is known of an exchange beside its parts, once it has ended.
pub(super) struct Known {
    pub(super) endpoint: Endpoint,
    pub(super) started: Instant,
    pub(super) place: Place,
    pub(super) identity: Identity,
}

impl InFlight {
    #[cold]
    #[inline(never)]
    pub(super) fn anew(place: Place, endpoint: Endpoint, identity: Identity) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            started: Instant::now(),
            is_open: AtomicBool::new(true),
            is_announced: AtomicBool::new(false),
            terms: Mutex::new(Terms { place: Some(place), identity, later: None }),
            ended: AtomicCell::default(),
        })
    }

    /// Begins another exchange in the place of one that has landed.
    #[inline(always)]
    pub(super) fn begin(&mut self, place: Place, endpoint: Endpoint, identity: &mut Identity) {
        self.endpoint = endpoint;
        self.started = Instant::now();
        self.is_open = AtomicBool::new(true);
        self.is_announced = AtomicBool::new(false);
        let terms = self.terms.get_mut().unwrap_or_else(PoisonError::into_inner);
        terms.place = Some(place);
        mem::swap(&mut terms.identity, identity);
        // What was said too late for the exchange before.
        if terms.later.is_some() {
            terms.later = None;
        }
    }

    /// One of its parts has ended. Returns the other if that has, too: of two threads that get here at once, to exactly one.
    #[inline(always)]
    pub(super) fn end(&self, part: Box<Part>) -> Option<Box<Part>> {
        let first = self.ended.swap(Some(part))?;
        self.is_open.store(false, Release);
        Some(first)
    }

    pub(super) fn take_ended(&self) -> Option<Box<Part>> {
        self.ended.take()
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

    /// Takes out what is known of it; `None` if it was taken before.
    pub(super) fn land(&self) -> Option<Known> {
        let (place, mut identity, later) = {
            let mut terms = lock(&self.terms);
            (terms.place.take()?, mem::take(&mut terms.identity), terms.later.take())
        };
        let Later { around, said } = later.map(|later| *later).unwrap_or_default();
        identity = identity.or(around);
        identity.change(said);
        Some(Known { endpoint: self.endpoint, started: self.started, place, identity })
    }
}

impl Attributed for InFlight {
    fn change(&self, later: Identity) {
        if self.is_open() {
            lock(&self.terms).later.get_or_insert_default().said.change(later);
        }
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Acquire)
    }
}

/// Shows nothing of the exchange.
impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
