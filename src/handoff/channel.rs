use std::convert::Infallible;
use std::sync::{Arc, Weak};

use http::HeaderMap;
use tokio::sync::mpsc;

use super::half::{Half, HandOver};
use super::pool::PooledExchange;
use super::queue::{Handed, Queue};
use super::rendezvous::Rendezvous;
use crate::budget::{Budget, Permit, Reservation};
use crate::config::Capturing;
use crate::identity::Identity;
use crate::interaction::Interaction;
use crate::provider::operation::Endpoint;

/// The callers' end. While a clone of it lives, or an exchange that it began is under way, the worker lives.
#[derive(Clone, Debug)]
pub(crate) struct Sender(Arc<Ends>);

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
pub(crate) struct Receiver {
    pub(crate) budget: Arc<Budget>,
    pub(crate) queue: Arc<Queue>,
    /// Yields `None` once every clone of the other end is gone.
    pub(crate) abandoned: mpsc::Receiver<Infallible>,
}

/// The two ends of a hand-over.
pub(crate) fn channel(budget: Arc<Budget>, capturing: Capturing) -> (Sender, Receiver) {
    let queue = Arc::new(Queue::new(Arc::clone(&budget)));
    let (alive, abandoned) = mpsc::channel(1);
    let ends = Ends { budget: Arc::clone(&budget), queue: Arc::clone(&queue), capturing, _alive: alive };
    (Sender(Arc::new(ends)), Receiver { budget, queue, abandoned })
}

impl Sender {
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
    pub(crate) fn wake_worker(&self) {
        self.0.queue.wake_worker();
    }

    /// Begins an exchange, in a record that was used before if there is one.
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        permit: Permit,
        endpoint: Endpoint,
        identity: Identity,
        headers: &HeaderMap,
    ) -> (Weak<Rendezvous<Half>>, Box<Half>, Box<Half>) {
        let Ends { budget, queue, capturing, .. } = &*self.0;
        let pooled = queue.spare.pop().unwrap_or_else(|| PooledExchange::new(Arc::clone(queue) as _));
        pooled.begin(budget, (permit, endpoint, identity), headers, capturing.metadata)
    }

    /// Hands over what is reported by hand.
    pub(crate) fn report(&self, reservation: Reservation, interaction: Interaction) {
        self.0.queue.push(Handed::Interaction(Box::new((reservation, interaction))));
    }

    /// Says that there is no worker: from now on everything is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.0.budget, &self.0.queue);
    }
}

impl Receiver {
    /// Says that there is no worker any more: what is queued, and what follows, is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.budget, &self.queue);
    }
}

/// However the worker ends, nothing waits for it afterwards.
impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

fn stop(budget: &Budget, queue: &Queue) {
    budget.close();
    queue.stop();
}

#[cfg(test)]
mod tests;
