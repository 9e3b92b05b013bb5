//! The hand-over from the callers' tasks to the worker: lock-free, bounded by the budget, and without a wake-up of a
//! sleeping thread where a caller would wait for it.

mod in_flight;
mod parker;
mod part;
mod record;
mod recorder;
mod waiting;

use std::convert::Infallible;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};

use http::HeaderMap;
use tokio::sync::mpsc;

pub(crate) use self::in_flight::InFlight;
use self::parker::Bell;
pub(crate) use self::part::{Part, end};
pub(crate) use self::record::{HandOver, Landed, Record, UNDER_WAY};
use crate::budget::{Admission, Budget, Place};
use crate::config::Capturing;
use crate::exchange::Exchange;
use crate::identity::Identity;
use crate::interaction::Interaction;
use crate::provider::operation::Endpoint;
use crate::stats::{DropReason, Settlement};
use crate::sync::{ArrayQueue, AtomicBool, SegQueue};

/// How many records are kept for further exchanges: as many as end between two looks of a busy worker. With their buffers
/// they are 2.5 MB at the most, and only if so many ended at once.
const SPARE: usize = 256;

/// How many there is place for from the start: as many as end between two looks of a worker that has much to do. Beyond that
/// a place has to be made first.
const READY: usize = 1_024;

/// The callers' end. While a clone of it lives, or an exchange that it began is under way, the worker lives.
#[derive(Clone, Debug)]
pub(crate) struct Intake(Arc<Ends>);

/// What the clones share.
#[derive(Debug)]
struct Ends {
    budget: Arc<Budget>,
    queue: Arc<Queue>,
    capturing: Capturing,
    _alive: mpsc::Sender<Infallible>,
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) budget: Arc<Budget>,
    pub(crate) queue: Arc<Queue>,
    /// Yields `None` once every clone of the other end is gone.
    pub(crate) abandoned: mpsc::Receiver<Infallible>,
}

/// One thing that was handed over.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the usual one is large; a box would cost an allocation")]
pub(crate) enum Item {
    Exchange(Exchange),
    /// Reported by hand.
    Interaction(Admission, Box<Interaction>),
}

/// What was handed over. It has no bound of its own: only what the budget admitted gets here.
#[derive(Debug)]
pub(crate) struct Queue {
    budget: Arc<Budget>,
    /// The oldest, taken out by the worker because they wait for long.
    waiting: SegQueue<Item>,
    ready: ArrayQueue<Handed>,
    /// What finds no place there. While there is any, the rest follows it, but for what other threads push at that moment.
    overflow: SegQueue<Handed>,
    /// Records that the worker is done with: memory that another thread has freed costs several times as much.
    spare: ArrayQueue<Record>,
    bell: Bell,
    stopped: AtomicBool,
}

/// It stays where it is: the caller's task moves two pointers.
#[derive(Debug)]
enum Handed {
    Exchange(Landed),
    Interaction(Box<(Admission, Interaction)>),
}

/// The two ends of a hand-over.
pub(crate) fn channel(budget: Arc<Budget>, capturing: Capturing) -> (Intake, Outlet) {
    let queue = Arc::new(Queue {
        budget: Arc::clone(&budget),
        waiting: SegQueue::new(),
        ready: ArrayQueue::new(READY),
        overflow: SegQueue::new(),
        spare: ArrayQueue::new(SPARE),
        bell: Bell::default(),
        stopped: AtomicBool::new(false),
    });
    let (alive, abandoned) = mpsc::channel(1);
    let ends = Ends { budget: Arc::clone(&budget), queue: Arc::clone(&queue), capturing, _alive: alive };
    (Intake(Arc::new(ends)), Outlet { budget, queue, abandoned })
}

impl Intake {
    #[inline]
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    #[inline]
    pub(crate) fn capturing(&self) -> Capturing {
        self.0.capturing
    }

    /// Wakes a sleeping worker. Called early in an exchange, while the caller waits for its answer anyway, so that
    /// nobody waits for it at the end: a wake-up costs microseconds, a push tens of nanoseconds.
    pub(crate) fn announce(&self) {
        self.0.queue.announce();
    }

    /// Begins an exchange, in a record that was used before if there is one.
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        place: Place,
        endpoint: Endpoint,
        identity: Identity,
        headers: &HeaderMap,
    ) -> (Weak<InFlight>, Box<Part>, Box<Part>) {
        let Ends { budget, queue, capturing, .. } = &*self.0;
        let record = queue.spare.pop().unwrap_or_else(|| Record::new(Arc::clone(queue) as _));
        record.begin(budget, (place, endpoint, identity), headers, capturing.metadata)
    }

    /// Hands over what is reported by hand.
    pub(crate) fn report(&self, admission: Admission, interaction: Interaction) {
        self.0.queue.push(Handed::Interaction(Box::new((admission, interaction))));
    }

    /// Says that there is no worker: from now on everything is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.0.budget, &self.0.queue);
    }
}

impl HandOver for Queue {
    #[inline]
    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn announce(&self) {
        self.bell.ring();
    }

    fn hand_over(&self, landed: Landed) {
        if self.budget.end() {
            self.push(Handed::Exchange(landed));
        } else {
            refuse(landed);
        }
    }
}

impl Outlet {
    /// Says that there is no worker any more: what is queued, and what follows, is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.budget, &self.queue);
    }
}

/// However the worker ends, nothing waits for it afterwards.
impl Drop for Outlet {
    fn drop(&mut self) {
        self.stop();
    }
}

fn stop(budget: &Budget, queue: &Queue) {
    budget.close();
    queue.stopped.store(true, SeqCst);
    queue.drain();
    // No exchange begins any more that could use them.
    while queue.spare.pop().is_some() {}
}

/// Drops one that ended when there was no room any more. Its record goes, too: the worker may have emptied its store of those.
#[cold]
#[inline(never)]
fn refuse(landed: Landed) {
    if let Some((exchange, _)) = landed.take() {
        exchange.admission.settle(Settlement::Dropped(DropReason::TooManyItems));
    }
}

impl Queue {
    fn push(&self, handed: Handed) {
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

    fn take_next(&self) -> Option<Item> {
        loop {
            match self.next()? {
                Handed::Interaction(reported) => {
                    let (admission, interaction) = *reported;
                    return Some(Item::Interaction(admission, interaction.into()));
                }
                Handed::Exchange(landed) => {
                    // There is always something in it: it is handed over once.
                    let Some((exchange, record)) = landed.take() else { continue };
                    let _ = self.spare.push(record);
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
    fn arrived(&self) -> usize {
        self.ready.len() + self.overflow.len()
    }

    #[cold]
    #[inline(never)]
    fn drain(&self) {
        while self.waiting.pop().is_some() {}
        while let Some(handed) = self.next() {
            if let Handed::Exchange(landed) = handed {
                drop(landed.take());
            }
        }
    }

    /// Returns when somebody announced an exchange; at once, if `is_idle` finds that there is one already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future wakes the worker, as it were.
    pub(crate) async fn sleep_while(&self, is_idle: impl Fn() -> bool) {
        let _awake = self.bell.fall_asleep();
        // Asked after the flag is up: an exchange that is not seen here sees the flag.
        if is_idle() {
            self.bell.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests;
