use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tower::{BoxError, Service};

use super::prepare::Job;
use super::warnings::Warnings;
use crate::config::MAX_DELIVERIES;
use crate::delivery::{DeliveryError, Retry};
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
    warnings: Warnings,
}

/// A report, and how an attempt to deliver it ended.
type Attempt = (Job, Result<(), DeliveryError>);

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
            warnings: Warnings::default(),
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
            () = poll_fn(|cx| is_settled(&mut self.transport, cx)), if self.is_blocked => {}
            else => std::future::pending().await,
        }
    }

    /// Tries at once what waits for another attempt, but for what the collector has asked to wait with: there may be no
    /// later.
    pub(super) fn hurry(&mut self) {
        let now = Instant::now();
        for ((due, id), job) in std::mem::take(&mut self.waiting) {
            let due = if job.is_held { due } else { now };
            self.waiting.insert((due, id), job);
        }
    }

    /// Deals with the attempts that have ended, without waiting for any.
    pub(super) fn finish_ended(&mut self) {
        while let Some(joined) = self.running.try_join_next_with_id() {
            self.finish(joined);
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
                self.warnings.delivered();
                self.go_on(job);
            }
            Err(error) => self.fail(job, &error),
        }
    }

    fn fail(&mut self, mut job: Job, error: &DeliveryError) {
        self.warnings.failed(error);
        match job.retry.after(error, fastrand::f64()) {
            Some(pause) => {
                job.admission.budget().counters().retry();
                job.is_held = error.delay().is_some();
                let due = Instant::now() + pause.max(Duration::from_millis(1));
                self.waiting.insert((due, job.id), job);
            }
            None => {
                let failed = match error.is_retryable() {
                    true => Settlement::Dropped(DropReason::Undelivered),
                    false => Settlement::Rejected,
                };
                let is_upload = job.report.is_image_upload();
                let failed = *job.failed.get_or_insert(failed);
                // Images go with their interaction, and without each other.
                if is_upload { self.go_on(job) } else { self.settle(job, failed) }
            }
        }
    }

    /// Goes on with the next image of an interaction, if there is one.
    fn go_on(&mut self, mut job: Job) {
        let Some(upload) = job.uploads.pop_front() else {
            let settlement = job.failed.unwrap_or(Settlement::Delivered);
            return self.settle(job, settlement);
        };
        job.report = upload;
        job.retry = Retry::default();
        // What was sent is held no longer. It only ever gets less.
        job.recharge();
        self.fresh.push_front(job);
    }

    fn settle(&mut self, job: Job, settlement: Settlement) {
        self.settled.push((job.id, settlement));
        job.admission.settle(settlement);
    }
}

/// Whether asking the transport again would tell more than that it is not ready.
fn is_settled<S: Service<Report>>(transport: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    match guarded(|| transport.poll_ready(cx).is_pending()) {
        Some(true) => Poll::Pending,
        _ => Poll::Ready(()),
    }
}

/// Runs code of the transport's. `None` if it panics.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
