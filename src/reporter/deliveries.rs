use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tower::{BoxError, Service};

use super::prepare::Job;
use crate::config::MAX_DELIVERIES;
use crate::delivery::DeliveryError;
use crate::report::Report;
use crate::stats::{DropReason, Settlement};

/// Reports that are being delivered, or wait for it.
pub(super) struct Deliveries<S> {
    transport: S,
    fresh: VecDeque<Job>,
    /// Reports that failed, by the moment of their next attempt.
    waiting: BTreeMap<(Instant, u64), Job>,
    running: JoinSet<Attempt>,
    /// The jobs of the running tasks: a task that panics takes its own with it.
    ids: HashMap<Id, u64>,
    /// The transport is not ready, and will wake the worker when it is.
    is_blocked: bool,
    settled: Vec<(u64, Settlement)>,
    health: Health,
}

/// A report, and how an attempt to deliver it ended.
type Attempt = (Job, Result<(), DeliveryError>);

/// What was said of the collector last: something is said only when it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Health {
    #[default]
    Well,
    Failing,
    Rejecting,
}

impl<S> Deliveries<S>
where
    S: Service<Report>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    pub(super) fn new(transport: S) -> Self {
        Self {
            transport,
            fresh: VecDeque::new(),
            waiting: BTreeMap::new(),
            running: JoinSet::new(),
            ids: HashMap::new(),
            is_blocked: false,
            settled: Vec::new(),
            health: Health::default(),
        }
    }

    /// Reports that are not settled.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.waiting.len() + self.running.len()
    }

    /// The ids of the reports that are not settled.
    pub(super) fn jobs(&self) -> impl Iterator<Item = u64> + '_ {
        let waiting = self.waiting.keys().map(|(_, id)| *id);
        self.fresh.iter().map(|job| job.id).chain(waiting).chain(self.ids.values().copied())
    }

    /// How many more reports can be on their way at once. Those that wait for another attempt are not: one that
    /// fails does not hold up the rest.
    pub(super) fn room(&self) -> usize {
        MAX_DELIVERIES.saturating_sub(self.running.len() + self.fresh.len())
    }

    pub(super) fn push(&mut self, job: Job) {
        self.fresh.push_back(job);
    }

    /// What was settled since this was last called.
    pub(super) fn take_settled(&mut self) -> Vec<(u64, Settlement)> {
        std::mem::take(&mut self.settled)
    }

    /// Starts as many deliveries as there is room for, and as the transport is ready for.
    pub(super) async fn start(&mut self) {
        self.is_blocked = false;
        while self.running.len() < MAX_DELIVERIES {
            let Some(job) = self.next_due() else { return };
            match poll_fn(|cx| Poll::Ready(guarded(|| self.transport.poll_ready(cx)))).await {
                Some(Poll::Ready(Ok(()))) => self.call(job),
                Some(Poll::Pending) => {
                    self.fresh.push_front(job);
                    self.is_blocked = true;
                    return;
                }
                Some(Poll::Ready(Err(_))) => self.settle(job, Settlement::Dropped(DropReason::Undelivered)),
                None => self.settle(job, Settlement::Dropped(DropReason::Panicked)),
            }
        }
    }

    fn next_due(&mut self) -> Option<Job> {
        match self.waiting.first_entry() {
            Some(entry) if entry.key().0 <= Instant::now() => Some(entry.remove()),
            _ => self.fresh.pop_front(),
        }
    }

    fn call(&mut self, job: Job) {
        let Some(delivery) = guarded(|| self.transport.call(job.report.clone())) else {
            self.settle(job, Settlement::Dropped(DropReason::Panicked));
            return;
        };
        let id = job.id;
        let task = self.running.spawn(async move {
            let result = match delivery.await {
                Ok(_) => Ok(()),
                Err(error) => Err(DeliveryError::of(error.into())),
            };
            (job, result)
        });
        self.ids.insert(task.id(), id);
    }

    /// Waits until there is something for [`start`](Self::start) to do, or something settled.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what is taken from the running tasks is dealt with before this returns.
    pub(super) async fn progress(&mut self) {
        let due =
            self.waiting.keys().next().map(|(due, _)| *due).filter(|_| self.running.len() < MAX_DELIVERIES);
        tokio::select! {
            Some(joined) = self.running.join_next_with_id() => self.finish(joined),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            _ = poll_fn(|cx| self.transport.poll_ready(cx)), if self.is_blocked => {}
            else => std::future::pending().await,
        }
    }

    /// Drops all reports that are not settled; returns when the running attempts are gone too.
    pub(super) async fn abort(mut self) {
        self.running.shutdown().await;
    }

    fn finish(&mut self, joined: Result<(Id, Attempt), JoinError>) {
        let (task, job, result) = match joined {
            Ok((task, (job, result))) => (task, job, result),
            Err(error) => {
                // The job was dropped as the task unwound, and counted.
                let id = self.ids.remove(&error.id());
                self.settled.extend(id.map(|id| (id, Settlement::Dropped(DropReason::Panicked))));
                return;
            }
        };
        self.ids.remove(&task);
        match result {
            Ok(()) => {
                self.note(Health::Well, None);
                self.settle(job, Settlement::Delivered);
            }
            Err(error) => self.fail(job, &error),
        }
    }

    fn fail(&mut self, mut job: Job, error: &DeliveryError) {
        self.note(if error.is_retryable() { Health::Failing } else { Health::Rejecting }, Some(error));
        match job.retry.after(error, fastrand::f64()) {
            Some(pause) => {
                job.admission.budget().count_retry();
                let due = Instant::now() + pause.max(Duration::from_millis(1));
                self.waiting.insert((due, job.id), job);
            }
            None if error.is_retryable() => self.settle(job, Settlement::Dropped(DropReason::Undelivered)),
            None => self.settle(job, Settlement::Rejected),
        }
    }

    fn settle(&mut self, job: Job, settlement: Settlement) {
        self.settled.push((job.id, settlement));
        job.admission.settle(settlement);
    }

    fn note(&mut self, health: Health, error: Option<&DeliveryError>) {
        if self.health == health {
            return;
        }
        self.health = health;
        match error {
            Some(error) if error.is_retryable() => tracing::warn!(%error, "reports wait to be delivered"),
            Some(error) => tracing::warn!(%error, "reports are lost"),
            None => tracing::info!("reports are delivered again"),
        }
    }
}

/// Runs code of the transport's. `None` if it panics.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
