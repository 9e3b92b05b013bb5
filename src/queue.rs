//! The hand-over from the callers' tasks to the worker: lock-free, bounded by the budget, and without a wake-up of a
//! sleeping thread where a caller would wait for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::mpsc;

use crate::budget::{Admission, Budget};
use crate::config::Capturing;
use crate::exchange::Exchange;
use crate::interaction::Interaction;
use crate::sync::{AtomicBool, Notify, SegQueue};

/// The callers' end. While a clone of it lives, the worker lives.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
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
#[expect(
    clippy::large_enum_variant,
    reason = "the usual one is large; a box would cost the caller an allocation"
)]
pub(crate) enum Item {
    Exchange(Exchange),
    /// Reported by hand.
    Interaction(Admission, Box<Interaction>),
}

/// What was handed over. It has no bound of its own: only what the budget admitted gets here.
#[derive(Debug)]
pub(crate) struct Queue {
    items: SegQueue<Item>,
    bell: Bell,
    stopped: AtomicBool,
}

/// Wakes the worker, if it sleeps.
#[derive(Debug, Default)]
struct Bell {
    asleep: AtomicBool,
    notify: Notify,
}

/// The two ends of a hand-over.
pub(crate) fn channel(budget: Arc<Budget>, capturing: Capturing) -> (Intake, Outlet) {
    let queue =
        Arc::new(Queue { items: SegQueue::new(), bell: Bell::default(), stopped: AtomicBool::new(false) });
    let (alive, abandoned) = mpsc::channel(1);
    let intake = Intake { budget: Arc::clone(&budget), queue: Arc::clone(&queue), capturing, _alive: alive };
    (intake, Outlet { budget, queue, abandoned })
}

impl Intake {
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(crate) fn capturing(&self) -> Capturing {
        self.capturing
    }

    /// Wakes a sleeping worker. Called early in an exchange, while the caller waits for its answer anyway, so that
    /// nobody waits for it at the end: a wake-up costs microseconds, a push tens of nanoseconds.
    pub(crate) fn announce(&self) {
        self.queue.bell.ring();
    }

    /// Hands something over.
    pub(crate) fn push(&self, item: Item) {
        self.queue.items.push(item);
        // A worker drains once more after it has stopped: either it sees this, or it is seen here that nobody
        // will.
        if self.queue.stopped.load(SeqCst) {
            self.queue.drain();
        }
    }

    /// Says that there is no worker: from now on everything is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.budget, &self.queue);
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
}

impl Queue {
    pub(crate) fn pop(&self) -> Option<Item> {
        self.items.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn drain(&self) {
        while self.pop().is_some() {}
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

impl Bell {
    fn ring(&self) {
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            self.notify.notify_one();
        }
    }

    fn fall_asleep(&self) -> impl Drop + '_ {
        struct WakeUp<'a>(&'a Bell);

        impl Drop for WakeUp<'_> {
            fn drop(&mut self) {
                self.0.asleep.store(false, SeqCst);
            }
        }

        self.asleep.store(true, SeqCst);
        WakeUp(self)
    }
}
