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

/// The size of the pool: as many exchanges as can end between two polls of a busy worker. With
/// their buffers they take at most 2.5 MB, and only if that many ended at once.
const SPARE: usize = 256;

/// The slots allocated from the start: as many exchanges as can end between two polls of a busy
/// worker. Further exchanges go to the overflow queue, which allocates.
pub(super) const READY: usize = 1_024;

/// One entry of the queue.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the usual one is large; a box would cost an allocation")]
pub(crate) enum QueueItem {
    Exchange(Exchange),
    /// Reported by the application itself.
    Interaction(Reservation, Box<Interaction>),
}

/// The queue. It has no bound of its own: only exchanges that the budget admitted get here.
pub(crate) struct Queue {
    budget: Arc<Budget>,
    /// The oldest entries, compacted because they have waited for long.
    pub(super) waiting: SegQueue<QueueItem>,
    ready: ArrayQueue<Handed>,
    /// Entries that do not fit into `ready`. While there are any, new entries follow them, except
    /// those that other threads push at the same moment.
    overflow: SegQueue<Handed>,
    /// Exchanges that the worker has finished with. Memory that another thread has freed costs
    /// several times as much to allocate again.
    pub(super) spare: ArrayQueue<PooledExchange>,
    parker: Parker,
    stopped: AtomicBool,
}

/// An entry as the caller pushes it: two pointers, so the exchange itself is not moved.
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
        // Either the worker, which drains once more after it has stopped, sees this entry, or this
        // thread sees that the worker has stopped.
        if self.stopped.load(SeqCst) {
            self.drain();
        }
    }

    #[cold]
    #[inline(never)]
    fn push_over(&self, handed: Handed) {
        self.overflow.push(handed);
    }

    pub(crate) fn pop(&self) -> Option<QueueItem> {
        self.waiting.pop().or_else(|| self.take_next())
    }

    pub(super) fn take_next(&self) -> Option<QueueItem> {
        loop {
            match self.next()? {
                Handed::Interaction(reported) => {
                    let (reservation, interaction) = *reported;
                    return Some(QueueItem::Interaction(reservation, interaction.into()));
                }
                Handed::Exchange(finished) => {
                    // Never empty: each exchange is handed over once.
                    let Some((exchange, pooled)) = finished.take() else { continue };
                    let _ = self.spare.push(pooled);
                    return Some(QueueItem::Exchange(exchange));
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

    /// The number of entries that are still as the callers pushed them.
    pub(super) fn arrived(&self) -> usize {
        self.ready.len() + self.overflow.len()
    }

    /// Drops all entries and the pool. Later entries are dropped as they are pushed.
    pub(super) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.drain();
        // No exchange begins any more that could use the pool.
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

    /// Returns when a caller wakes the worker, or at once if `is_idle` is false.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future counts as a wake-up.
    pub(crate) async fn sleep_while(&self, is_idle: impl Fn() -> bool) {
        let _awake = self.parker.fall_asleep();
        // Checked after the flag is set: a caller that pushes later sees the flag.
        if is_idle() {
            self.parker.notify.notified().await;
        }
    }
}

/// Drops an exchange that ended when the queue was full. Its memory is freed too: the worker may
/// have emptied the pool already.
#[cold]
#[inline(never)]
fn refuse(finished: Finished) {
    if let Some((exchange, _)) = finished.take() {
        exchange.reservation.settle(Settlement::Dropped(DropReason::TooManyItems));
    }
}
