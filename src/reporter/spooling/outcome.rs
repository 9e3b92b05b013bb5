//! Updates reports after a disk operation.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::task::Done;
use super::{ADOPTION, Spooler, State};
use crate::budget::Budget;
use crate::delivery::doubled;
use crate::delivery::job::Job;
use crate::delivery::outage_log::is_due;
use crate::delivery::schedule::Schedule;
use crate::names::LOG;
use crate::spool::{Appended, Loaded, OsFs, SegmentStore, Stopped};
use crate::stats::Settlement;

/// The pause after a disk failure. It doubles with each further failure, up to a minute.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The delay before the next attempt to read a segment that could not be read.
const LATER: Duration = Duration::from_secs(5);

/// The minimum time between two warnings.
const QUIET: Duration = Duration::from_secs(600);

impl Spooler {
    /// Handles a finished disk operation.
    pub(crate) fn finish(
        &mut self,
        ended: Option<(Option<SegmentStore<OsFs>>, Done)>,
        schedule: &mut Schedule,
        budget: &Arc<Budget>,
        next_id: impl FnMut() -> u64,
    ) {
        let Some((spool, done)) = ended else {
            // The task panicked and dropped the spool. Another process can adopt the reports on
            // disk.
            self.head = None;
            schedule.forget_segments();
            self.retry_segments.clear();
            self.retries.clear();
            budget.lose_on_disk(self.resting.drain().map(|(_, reports)| reports).sum());
            self.written(Appended::default(), false, schedule);
            return self.fail(&"a panic", schedule, budget);
        };
        self.state = spool.map_or(State::Closed, State::Idle);
        self.is_stuck = false;
        let result = match done {
            Done::Opened(result) => result.map_err(|error| error.to_string()),
            Done::Written { mut appended, is_rewrite } => {
                let stopped = appended.stopped.take();
                let first = self.written(appended, is_rewrite, schedule);
                stopped.map_or(Ok(()), |stopped| Self::stopped(&stopped, first, schedule))
            }
            // A failed read or removal must not stop writes.
            Done::Loaded(Err(error)) => {
                self.next_load = Instant::now() + LATER;
                return self.note(&error, budget);
            }
            Done::Removed(Err(error)) | Done::Adopted(Err(error)) => {
                self.next_adoption = Instant::now() + ADOPTION;
                return self.note(&error, budget);
            }
            Done::Loaded(Ok(loaded)) => return self.loaded(loaded, schedule, budget, next_id),
            Done::Adopted(Ok(adopted)) => {
                self.has_backlog |= adopted.segments > 0;
                let pause = if adopted.has_more { Duration::ZERO } else { ADOPTION };
                self.next_adoption = Instant::now() + pause;
                if let Some(error) = adopted.error {
                    self.note(&error, budget);
                }
                return;
            }
            Done::Removed(Ok(())) => return,
        };
        match result {
            Ok(()) => self.failures = 0,
            Err(error) => self.fail(&error, schedule, budget),
        }
    }

    /// Handles an append that stopped early. `first` is the first report that was not written.
    fn stopped(stopped: &Stopped, first: Option<u64>, schedule: &mut Schedule) -> Result<(), String> {
        match (stopped, first) {
            (Stopped::Oversized, Some(first)) => {
                schedule.get(first).into_iter().for_each(|job| job.is_oversized = true);
                Ok(())
            }
            (Stopped::Failed(error), _) => Err(error.to_string()),
            (Stopped::Full | Stopped::Oversized, _) => Err("it is full".to_owned()),
        }
    }

    /// Schedules the written reports, or leaves them on disk: those that were rewritten until the
    /// earliest of their retries is due. Returns the first report that was not written.
    fn written(&mut self, appended: Appended, is_rewrite: bool, schedule: &mut Schedule) -> Option<u64> {
        // A write that finished after it was given up. Its reports are loaded as if another process
        // had left them.
        self.has_backlog |= self.writing.is_empty() && !appended.durable.is_empty();
        let mut segments = appended.durable.into_iter();
        let mut first = None;
        for (id, due) in std::mem::take(&mut self.writing) {
            let (Some(segment), Some(job)) = (segments.next(), schedule.get(id)) else {
                first.get_or_insert(id);
                schedule.again(id, due);
                continue;
            };
            let becomes_head = !is_rewrite && self.head.is_none() && !self.has_backlog;
            if is_rewrite {
                let due = due.unwrap_or_else(Instant::now);
                self.retry_segments
                    .entry(segment)
                    .and_modify(|first| *first = due.min(*first))
                    .or_insert(due);
                self.retries.insert(job.report.id(), job.retry);
            } else if becomes_head {
                self.head = Some(segment);
            }
            if let State::Idle(spool) = &mut self.state
                && (is_rewrite || becomes_head)
            {
                spool.hold(segment);
            }
            if self.head == Some(segment) {
                schedule.place(id, segment);
                schedule.again(id, due);
            } else {
                self.has_backlog |= !is_rewrite;
                schedule.settle(id, Settlement::Spooled);
                *self.resting.entry(segment).or_default() += 1;
            }
        }
        first
    }

    /// Makes retry segments available for loading once they are due.
    pub(crate) fn release_retry_segments(&mut self) {
        let State::Idle(spool) = &mut self.state else { return };
        let now = Instant::now();
        for (segment, _) in self.retry_segments.extract_if(|_, due| *due <= now) {
            spool.release(segment);
            self.has_backlog = true;
        }
    }

    /// Handles a disk that hangs: reports continue in memory. Those being written may be sent
    /// twice.
    pub(crate) fn give_up_waiting(&mut self, schedule: &mut Schedule, budget: &Arc<Budget>) {
        self.is_stuck = true;
        self.note(&"it does not answer", budget);
        self.written(Appended::default(), false, schedule);
        schedule.give_up_writing();
    }

    fn loaded(
        &mut self,
        loaded: Option<Loaded>,
        schedule: &mut Schedule,
        budget: &Arc<Budget>,
        mut next_id: impl FnMut() -> u64,
    ) {
        self.has_backlog = matches!(&self.state, State::Idle(spool) if spool.has_waiting());
        let Some(Loaded { segment, items, corrupt, is_foreign }) = loaded else {
            // Segments that could not be read are tried again later.
            self.next_load = Instant::now() + LATER;
            return;
        };
        self.head = Some(segment);
        let mut resting = self.resting.remove(&segment).unwrap_or_default();
        for item in items {
            // A write that was never acknowledged may have reached the disk: its reports are new to
            // the budget.
            let is_foreign = is_foreign || resting == 0;
            if let Some(mut job) = Job::from_item(next_id(), item, segment, budget, is_foreign) {
                resting = resting.saturating_sub(1);
                if let Some(retry) = self.retries.remove(&job.report.id()) {
                    job.retry = retry;
                }
                schedule.push(job);
            }
        }
        budget.lose_on_disk(resting);
        if corrupt > 0 {
            budget.counters().fail_to_spool();
            if let State::Idle(spool) = &self.state {
                self.damage.found(corrupt, &spool.aside(segment));
            }
        }
    }

    /// Counts a failure, and logs it unless a recent one was logged.
    fn note(&mut self, error: &dyn std::fmt::Display, budget: &Arc<Budget>) {
        budget.counters().fail_to_spool();
        if is_due(&mut self.told, QUIET) {
            let folder = self.settings.as_ref().map(|settings| tracing::field::debug(&settings.folder));
            tracing::warn!(target: LOG, %error, folder, "the spool cannot be used");
        }
    }

    /// Keeps reports in memory and pauses disk operations.
    fn fail(&mut self, error: &dyn std::fmt::Display, schedule: &mut Schedule, budget: &Arc<Budget>) {
        self.note(error, budget);
        self.pause = Some(Instant::now() + doubled(SHORTEST_PAUSE, self.failures));
        self.failures = self.failures.saturating_add(1);
        schedule.give_up_writing();
    }
}
