use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::half::{Finished, HandOver};
use super::parker::Parker;
use super::pool::PooledExchange;
use crate::budget::{Budget, Reservation};
use crate::exchange::Exchange;
use crate::interaction::Interaction;
use crate::stats::{DropReason, Settlement};
use crate::sync::{ArrayQueue, AtomicBool, SegQueue};

/// How many records are kept for further exchanges: as many as end between two looks of a busy worker. With their buffers
/// they are 2.5 MB at the most, and only if so many ended at once.
const SPARE: usize = 256;

/// How many there is place for from the start: as many as end between two looks of a worker that has much to do. Beyond that
/// a place has to be made first.
pub(super) const READY: usize = 1_024;

/// One thing that was handed over.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the usual one is large; a box would cost an allocation")]
pub(crate) enum Item {
    Exchange(Exchange),
    /// Reported by hand.
    Interaction(Reservation, Box<Interaction>),
}

/// What was handed over. It has no bound of its own: only what the budget admitted gets here.
#[derive(Debug)]
pub(crate) struct Queue {
    budget: Arc<Budget>,
    /// The oldest, taken out by the worker because they wait for long.
    pub(super) waiting: SegQueue<Item>,
    ready: ArrayQueue<Handed>,
    /// What finds no place there. While there is any, the rest follows it, but for what other threads push at that moment.
    overflow: SegQueue<Handed>,
    /// Records that the worker is done with: memory that another thread has freed costs several times as much.
    pub(super) spare: ArrayQueue<PooledExchange>,
    parker: Parker,
    stopped: AtomicBool,
}

/// It stays where it is: the caller's task moves two pointers.
#[derive(Debug)]
pub(super) enum Handed {
    Exchange(Finished),
    Interaction(Box<(Reservation, Interaction)>),
}

impl HandOver for Queue {
    #[inline]
    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn wake_worker(&self) {
        self.parker.unpark();
    }

    fn hand_over(&self, finished: Finished) {
        if self.budget.end() {
            self.push(Handed::Exchange(finished));
        } else {
            refuse(finished);
        }
    }
}

impl Queue {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            waiting: SegQueue::new(),
            ready: ArrayQueue::new(READY),
            overflow: SegQueue::new(),
            spare: ArrayQueue::new(SPARE),
            parker: Parker::default(),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn push(&self, handed: Handed) {
        let left = if self.overflow.is_empty() { self.ready.push(handed).err() } else { Some(handed) };
        if let Some(handed) = left {
            self.push_over(handed);
        }
        // A worker drains once more after it has stopped: either it sees this, or it is seen here that nobody
        // will.
        if self.stopped.load(SeqCst) {
            self.drain();
        }
    }

    #[cold]
    #[inline(never)]
    fn push_over(&self, handed: Handed) {
        self.overflow.push(handed);
    }

    pub(crate) fn pop(&self) -> Option<Item> {
        self.waiting.pop().or_else(|| self.take_next())
    }

    pub(super) fn take_next(&self) -> Option<Item> {
        loop {
            match self.next()? {
                Handed::Interaction(reported) => {
                    let (reservation, interaction) = *reported;
                    return Some(Item::Interaction(reservation, interaction.into()));
                }
                Handed::Exchange(finished) => {
                    // There is always something in it: it is handed over once.
                    let Some((exchange, pooled)) = finished.take() else { continue };
                    let _ = self.spare.push(pooled);
                    return Some(Item::Exchange(exchange));
                }
            }
        }
    }

    fn next(&self) -> Option<Handed> {
        self.ready.pop().or_else(|| self.overflow.pop())
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.arrived()
    }

    /// Those that are as they were handed over.
    pub(super) fn arrived(&self) -> usize {
        self.ready.len() + self.overflow.len()
    }

    /// Nothing is kept from now on.
    pub(super) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.drain();
        // No exchange begins any more that could use them.
        while self.spare.pop().is_some() {}
    }

    #[cold]
    #[inline(never)]
    fn drain(&self) {
        while self.waiting.pop().is_some() {}
        while let Some(handed) = self.next() {
            if let Handed::Exchange(finished) = handed {
                drop(finished.take());
            }
        }
    }

    /// Returns when somebody announced an exchange; at once, if `is_idle` finds that there is one already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future wakes the worker, as it were.
    pub(crate) async fn sleep_while(&self, is_idle: impl Fn() -> bool) {
        let _awake = self.parker.fall_asleep();
        // Asked after the flag is up: an exchange that is not seen here sees the flag.
        if is_idle() {
            self.parker.notify.notified().await;
        }
    }
}

/// Drops one that ended when there was no room any more. Its record goes, too: the worker may have emptied its store of those.
#[cold]
#[inline(never)]
fn refuse(finished: Finished) {
    if let Some((exchange, _)) = finished.take() {
        exchange.reservation.settle(Settlement::Dropped(DropReason::TooManyItems));
    }
}
