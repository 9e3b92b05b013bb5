use std::convert::Infallible;
use std::sync::{Arc, Weak};

use http::HeaderMap;
use tokio::sync::mpsc;

use super::half::{Half, HandOver};
use super::pool::PooledExchange;
use super::queue::{Handed, Queue};
use super::rendezvous::Rendezvous;
use crate::budget::{Budget, Permit, Reservation};
use crate::config::CaptureOptions;
use crate::identity::Identity;
use crate::interaction::Interaction;
use crate::provider::operation::Operation;

/// The callers' end. The worker lives while a clone of it, or an open exchange begun by one, exists.
#[derive(Clone)]
pub(crate) struct Sender(Arc<SenderInner>);

/// The state that all clones share.
struct SenderInner {
    budget: Arc<Budget>,
    queue: Arc<Queue>,
    capturing: CaptureOptions,
    _alive: mpsc::Sender<Infallible>,
}

/// The worker's end.
pub(crate) struct Receiver {
    pub(crate) budget: Arc<Budget>,
    pub(crate) queue: Arc<Queue>,
    /// Yields `None` once every sender is gone.
    pub(crate) abandoned: mpsc::Receiver<Infallible>,
}

/// Makes the two ends of a hand-over.
pub(crate) fn channel(budget: Arc<Budget>, capturing: CaptureOptions) -> (Sender, Receiver) {
    let queue = Arc::new(Queue::new(Arc::clone(&budget)));
    let (alive, abandoned) = mpsc::channel(1);
    let inner =
        SenderInner { budget: Arc::clone(&budget), queue: Arc::clone(&queue), capturing, _alive: alive };
    (Sender(Arc::new(inner)), Receiver { budget, queue, abandoned })
}

impl Sender {
    #[inline]
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    #[inline]
    pub(crate) fn capturing(&self) -> CaptureOptions {
        self.0.capturing
    }

    /// Wakes the worker if it sleeps. Callers do this early in an exchange, while they wait for the
    /// response anyway: a wake-up costs microseconds, a push tens of nanoseconds.
    pub(crate) fn wake_worker(&self) {
        self.0.queue.wake_worker();
    }

    /// Begins an exchange, in pooled memory if there is any.
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        permit: Permit,
        operation: Operation,
        identity: Identity,
        path: &str,
        headers: &HeaderMap,
    ) -> (Weak<Rendezvous<Half>>, Box<Half>, Box<Half>) {
        let SenderInner { budget, queue, capturing, .. } = &*self.0;
        let pooled = queue.spare.pop().unwrap_or_else(|| PooledExchange::new(Arc::clone(queue) as _));
        pooled.begin(budget, (permit, operation, identity), (path, headers), capturing.metadata)
    }

    /// Hands over an interaction that the application reports by itself.
    pub(crate) fn report(&self, reservation: Reservation, interaction: Interaction) {
        self.0.queue.push(Handed::Interaction(Box::new((reservation, interaction))));
    }

    /// Marks the worker as missing: everything that follows is dropped.
    pub(crate) fn stop(&self) {
        stop(&self.0.budget, &self.0.queue);
    }
}

impl Receiver {
    /// Marks the worker as gone: queued exchanges and all that follow are dropped.
    pub(crate) fn stop(&self) {
        stop(&self.budget, &self.queue);
    }
}

/// However the worker ends, nothing stays in the queue.
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
