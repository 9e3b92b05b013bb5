//! Attempts that are under way. The worker polls them itself: a task of the runtime's for each costs half as much, to make, to
//! schedule and to join, as the making of the report.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tower::BoxError;

use crate::config::MAX_DELIVERIES;
use crate::delivery::DeliveryError;
use crate::sync::AtomicU64;

/// What an attempt came to; `None` if it panicked.
pub(super) type Ended = Option<Result<(), DeliveryError>>;

/// There is a bit for each.
const _: () = assert!(MAX_DELIVERIES <= u64::BITS as usize);

/// The futures of the transport, each with the job that it is for.
pub(super) struct Attempts<F> {
    places: Vec<Place<F>>,
    /// Places that nothing is in.
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// Places that were woken and are to be polled in this turn.
    due: u64,
    /// The place whose turn it is first: the one after the last, lest one that wakes itself for ever starves the others.
    next: u32,
    ended: VecDeque<(u64, Ended)>,
}

/// Room for one future after another, so that none takes memory of its own.
struct Place<F> {
    job: u64,
    future: Pin<Box<Option<F>>>,
    waker: Waker,
}

/// Which places have been woken since they were last looked at, a bit each.
#[derive(Default)]
struct Woken {
    places: AtomicU64,
    worker: AtomicWaker,
}

/// Wakes one place.
struct Bell {
    bit: u64,
    woken: Arc<Woken>,
}

impl<F, T, E> Attempts<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            woken: Arc::default(),
            due: 0,
            next: 0,
            ended: VecDeque::new(),
        }
    }

    /// How many there are, those among them that have ended and were not taken.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len() + self.ended.len()
    }

    /// Begins one. There are no more than `MAX_DELIVERIES`.
    pub(super) fn push(&mut self, job: u64, future: F) {
        let index = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(index) {
            Some(place) => {
                place.job = job;
                place.future.set(Some(future));
            }
            None => {
                let bell = Bell { bit: bit(index), woken: Arc::clone(&self.woken) };
                let waker = Arc::new(bell).into();
                self.places.push(Place { job, future: Box::pin(Some(future)), waker });
            }
        }
        self.poll_place(index);
    }

    /// Begins a turn of all that were woken. Ready once one can be taken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_due();
        if self.ended.is_empty() {
            self.woken.worker.register(cx.waker());
            // Who wakes one after this wakes the worker, too.
            self.due = self.woken.places.swap(0, SeqCst);
            self.poll_due();
        }
        if self.ended.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Takes one that has ended in this turn, with its job.
    pub(super) fn take_ended(&mut self) -> Option<(u64, Ended)> {
        self.poll_due();
        self.ended.pop_front()
    }

    /// Polls those whose turn it is, until one has ended.
    fn poll_due(&mut self) {
        while self.due != 0 && self.ended.is_empty() {
            let index = (self.next + self.due.rotate_right(self.next).trailing_zeros()) % u64::BITS;
            self.next = index + 1;
            self.due &= !bit(index as usize);
            self.poll_place(index as usize);
        }
    }

    fn poll_place(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index) else { return };
        if let Poll::Ready(ended) = place.poll() {
            self.free.push(index);
            self.ended.push_back((place.job, ended));
        }
    }

    /// Breaks all of them off. Returns their jobs.
    pub(super) fn abort(&mut self) -> Vec<u64> {
        let mut jobs: Vec<_> = self.ended.drain(..).map(|(job, _)| job).collect();
        for (place, index) in self.places.iter_mut().zip(0..) {
            if place.future.is_some() {
                place.clear();
                self.free.push(index);
                jobs.push(place.job);
            }
        }
        jobs
    }
}

impl<F, T, E> Place<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    /// It panics as it is polled, as what it came to is looked at, or as it is dropped: none of that is to end the worker.
    fn poll(&mut self) -> Poll<Ended> {
        let Some(future) = self.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let mut cx = Context::from_waker(&self.waker);
        let polled = guarded(|| {
            future
                .poll(&mut cx)
                .map(|delivered| delivered.map(drop).map_err(|error| DeliveryError::of(error.into())))
        });
        match polled {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(ended)) => Poll::Ready(self.clear().map(|()| ended)),
            None => {
                self.clear();
                Poll::Ready(None)
            }
        }
    }

    /// `None` if what was there panicked as it was dropped.
    fn clear(&mut self) -> Option<()> {
        guarded(|| self.future.set(None))
    }
}

fn bit(index: usize) -> u64 {
    1 << (index % u64::BITS as usize)
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever came first has woken the worker, or is about to.
        if self.woken.places.fetch_or(self.bit, SeqCst) == 0 {
            self.woken.worker.wake();
        }
    }
}

/// Runs code of the transport's. `None` if it panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
