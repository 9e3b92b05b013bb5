//! The hand-over from the callers' tasks to the worker: lock-free, bounded by the budget, and without a wake-up of a
//! sleeping thread where a caller would wait for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::mpsc;

use crate::budget::{Admission, Budget};
use crate::config::Capturing;
use crate::endpoint::Endpoint;
use crate::exchange::{Answering, Exchange, Head, InFlight, Side};
use crate::identity::Identity;
use crate::interaction::Interaction;
use crate::sync::{ArrayQueue, AtomicBool, Notify, SegQueue};

/// How many records are kept for further exchanges: as many as end between two looks of a busy worker. With their buffers
/// they are 2.3 MB at the most, and only if so many ended at once.
const SPARE: usize = 256;

/// The callers' end. While a clone of it lives, the worker lives.
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
    items: SegQueue<Handed>,
    /// Records that the worker is done with: memory that another thread has freed costs several times as much.
    spare: ArrayQueue<Arc<InFlight>>,
    bell: Bell,
    stopped: AtomicBool,
}

/// It stays where it is: the caller's task moves a pointer.
#[derive(Debug)]
enum Handed {
    Exchange(Arc<InFlight>),
    Interaction(Admission, Box<Interaction>),
}

/// Wakes the worker, if it sleeps.
#[derive(Debug, Default)]
struct Bell {
    asleep: AtomicBool,
    notify: Notify,
}

/// The two ends of a hand-over.
pub(crate) fn channel(budget: Arc<Budget>, capturing: Capturing) -> (Intake, Outlet) {
    let queue = Arc::new(Queue {
        items: SegQueue::new(),
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
        self.0.queue.bell.ring();
    }

    /// Begins an exchange, in a record that was used before if there is one.
    pub(crate) fn begin(
        &self,
        admission: Admission,
        endpoint: Endpoint,
        identity: Identity,
        head: Head,
    ) -> (Arc<InFlight>, Box<Side>, Box<Answering>) {
        if let Some(mut spare) = self.0.queue.spare.pop()
            && let Some(in_flight) = Arc::get_mut(&mut spare)
        {
            in_flight.begin(admission, endpoint, identity);
            let (request, response) = in_flight.parts(head);
            return (spare, request, response);
        }
        let mut in_flight = InFlight::new(admission, endpoint, identity);
        let (request, response) = in_flight.parts(head);
        (Arc::new(in_flight), request, response)
    }

    /// Hands an exchange over that has ended.
    pub(crate) fn hand_over(&self, exchange: Arc<InFlight>) {
        self.0.queue.push(Handed::Exchange(exchange));
    }

    /// Hands over what is reported by hand.
    pub(crate) fn report(&self, admission: Admission, interaction: Interaction) {
        self.0.queue.push(Handed::Interaction(admission, Box::new(interaction)));
    }

    /// Says that there is no worker: from now on everything is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.0.budget, &self.0.queue);
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
    fn push(&self, handed: Handed) {
        self.items.push(handed);
        // A worker drains once more after it has stopped: either it sees this, or it is seen here that nobody
        // will.
        if self.stopped.load(SeqCst) {
            self.drain();
        }
    }

    pub(crate) fn pop(&self) -> Option<Item> {
        loop {
            match self.items.pop()? {
                Handed::Interaction(admission, interaction) => {
                    return Some(Item::Interaction(admission, interaction));
                }
                Handed::Exchange(mut in_flight) => {
                    let exchange = in_flight.land();
                    // Not one that a slot still refers to: it would say of another exchange what it says of this one.
                    if Arc::get_mut(&mut in_flight).is_some() {
                        let _ = self.spare.push(in_flight);
                    }
                    // There is always something in it: it is handed over once.
                    if let Some(exchange) = exchange {
                        return Some(Item::Exchange(exchange));
                    }
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn drain(&self) {
        while self.items.pop().is_some() {}
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
