use std::collections::{BTreeSet, HashMap, VecDeque};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::Decision;
use super::job::Job;
use crate::spool::SegmentId;
use crate::stats::Settlement;

/// The unsettled reports, and the order of their attempts.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    jobs: HashMap<u64, Job, RandomState>,
    /// Reports that were never tried, or whose next image is due.
    fresh: VecDeque<u64>,
    /// Reports that wait for a retry, by the time of their next attempt.
    waiting: BTreeSet<(Instant, u64)>,
    /// Reports that must be on disk before their next attempt.
    pub(crate) unwritten: VecDeque<(u64, Option<Instant>)>,
    /// How many reports are also on disk.
    on_disk: usize,
    /// How many reports have a receipt, and therefore stay in memory.
    in_memory_only: usize,
    settled: Vec<(u64, Settlement)>,
}

impl Schedule {
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Job> {
        self.jobs.get_mut(&id)
    }

    /// The number of reports in the queue for an immediate attempt.
    pub(crate) fn ready(&self) -> usize {
        self.fresh.len()
    }

    /// When the next attempt is due; `None` if no report can be tried.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let waiting = self.waiting.first().map(|(due, _)| *due);
        if self.fresh.is_empty() { waiting } else { Some(now) }
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.fresh.push_back(job.id);
        self.insert(job);
    }

    fn insert(&mut self, job: Job) {
        self.on_disk += usize::from(job.segment.is_some());
        self.in_memory_only += usize::from(job.receipt.is_some());
        self.jobs.insert(job.id, job);
    }

    /// Puts a known report back: at the front of the queue, or at a later time.
    pub(crate) fn again_first(&mut self, id: u64) {
        self.fresh.push_front(id);
    }

    pub(crate) fn again_at(&mut self, due: Instant, id: u64) {
        self.waiting.insert((due, id));
    }

    /// Makes all waiting reports due now.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        self.waiting = self.waiting.iter().map(|(_, id)| (now, *id)).collect();
    }

    /// Takes the next report to be tried, if one is due. Probes take new reports first and then the
    /// report that is due first. A report that fails again is due after all that are overdue, and a
    /// pause lasts a minute at most, so every report gets its turn while the collector is down.
    pub(crate) fn next(&mut self, decision: Decision, now: Instant) -> Option<u64> {
        let is_due = self.waiting.first().is_some_and(|(due, _)| *due <= now);
        let is_retry = match decision {
            Decision::Allow => is_due,
            Decision::AllowUntried => is_due && self.fresh.is_empty(),
            Decision::HalfOpenProbe => self.fresh.is_empty(),
            Decision::RetryAt(_) | Decision::Saturated => return None,
        };
        if is_retry { self.waiting.pop_first().map(|(_, id)| id) } else { self.fresh.pop_front() }
    }

    /// Settles a report that is in no queue any more.
    pub(crate) fn settle(&mut self, id: u64, settlement: Settlement) {
        if let Some(job) = self.jobs.remove(&id) {
            self.on_disk -= usize::from(job.segment.is_some());
            self.in_memory_only -= usize::from(job.receipt.is_some());
            self.settled.push((id, settlement));
            job.reservation.settle(settlement);
            if let Some(receipt) = job.receipt {
                // Nobody waits if the caller's future was dropped.
                let _ = receipt.send(settlement);
            }
        }
    }

    /// The settlements since the last call.
    pub(crate) fn take_settled(&mut self) -> impl Iterator<Item = (u64, Settlement)> + '_ {
        self.settled.drain(..)
    }
}

/// The operations of the spooler.
impl Schedule {
    /// How many reports are also on disk.
    pub(crate) fn on_disk(&self) -> usize {
        self.on_disk
    }

    /// How many reports are neither on disk nor about to be, although they might.
    pub(crate) fn unsafe_in_memory(&self) -> usize {
        self.jobs.len().saturating_sub(self.on_disk + self.unwritten.len() + self.in_memory_only)
    }

    /// Adds a report that must be on disk before its first attempt.
    pub(crate) fn push_unwritten(&mut self, job: Job) {
        self.unwritten.push_back((job.id, None));
        self.insert(job);
    }

    /// Moves the reports that satisfy `wanted` from the queues to those that must be written.
    pub(crate) fn take(&mut self, wanted: impl Fn(&Job) -> bool) {
        let (fresh, waiting) = (std::mem::take(&mut self.fresh), std::mem::take(&mut self.waiting));
        let fresh = fresh.into_iter().map(|id| (id, None));
        for (id, due) in fresh.chain(waiting.into_iter().map(|(due, id)| (id, Some(due)))) {
            match self.jobs.get(&id).is_some_and(&wanted) {
                true => self.unwritten.push_back((id, due)),
                false => self.again(id, due),
            }
        }
    }

    /// Puts back a report that was taken.
    pub(crate) fn again(&mut self, id: u64, due: Option<Instant>) {
        match due {
            Some(due) => self.again_at(due, id),
            None => self.fresh.push_back(id),
        }
    }

    /// Puts back the reports that were to be written.
    pub(crate) fn give_up_writing(&mut self) {
        for (id, due) in std::mem::take(&mut self.unwritten) {
            self.again(id, due);
        }
    }

    /// Records the segment that holds a report.
    pub(crate) fn place(&mut self, id: u64, segment: SegmentId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            self.on_disk += usize::from(job.segment.replace(segment).is_none());
        }
    }

    /// Settles the reports that are also on disk as spooled.
    pub(crate) fn evict(&mut self) {
        let on_disk = self.jobs.values().filter(|job| job.segment.is_some()).map(|job| job.id);
        for id in on_disk.collect::<Vec<_>>() {
            self.settle(id, Settlement::Spooled);
        }
    }

    /// Treats all reports as in memory only: the spool can no longer remove their segments.
    pub(crate) fn forget_segments(&mut self) {
        self.jobs.values_mut().for_each(|job| job.segment = None);
        self.on_disk = 0;
    }

    /// Whether all reports that are also on disk wait for a retry, and are at most `most`.
    pub(crate) fn are_few_retries(&self, most: usize) -> bool {
        let is_on_disk = |id: &u64| self.jobs.get(id).is_some_and(|job| job.segment.is_some());
        (1..=most).contains(&self.on_disk)
            && self.waiting.iter().filter(|(_, id)| is_on_disk(id)).count() == self.on_disk
    }
}
