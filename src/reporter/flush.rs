use std::collections::HashSet;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::stats::Settlement;

/// What a [`flush`](crate::Reporter::flush) waited for, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Reports that the collector took.
    pub delivered: u64,
    /// Reports that the collector refused for good.
    pub rejected: u64,
    /// Interactions that were lost; [`Stats`](crate::Stats) has the reasons.
    pub dropped: u64,
    /// Interactions that, by intent, were not sent.
    pub withheld: u64,
    /// Reports that are on disk only, those of before among them: they are delivered when the collector takes them, by this
    /// process or the next one.
    pub spooled: u64,
    /// Interactions that are still on their way: the deadline came first.
    pub pending: u64,
}

/// What a [`shutdown`](crate::Reporter::shutdown) waited for, and what became of it.
/// [`Stats`](crate::Stats) has what was settled before, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Reports that the collector took.
    pub delivered: u64,
    /// Reports that the collector refused for good.
    pub rejected: u64,
    /// Interactions that were lost, among them all that the deadline came before.
    pub dropped: u64,
    /// Interactions that, by intent, were not sent.
    pub withheld: u64,
    /// Reports that are on disk, those of before among them: the next process delivers them.
    pub spooled: u64,
    /// Exchanges that had not ended: nobody will report them.
    pub in_flight: u64,
}

impl FlushReport {
    /// Whether nothing was lost and nothing is left.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.pending == 0 && self.spooled == 0
    }

    fn count(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Delivered => self.delivered += 1,
            Settlement::Rejected => self.rejected += 1,
            Settlement::Dropped(_) => self.dropped += 1,
            Settlement::Withheld(_) => self.withheld += 1,
            Settlement::Spooled => self.spooled += 1,
        }
    }
}

impl ShutdownReport {
    /// Whether nothing was lost.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.in_flight == 0
    }

    pub(super) fn of(flushed: FlushReport, spooled: u64, in_flight: u64) -> Self {
        let FlushReport { delivered, rejected, dropped, withheld, pending, .. } = flushed;
        Self { delivered, rejected, dropped: dropped + pending, withheld, spooled, in_flight }
    }
}

/// A flush under way: what was there when it began, and what has become of it.
pub(super) struct Flush {
    /// Exchanges in the queue that were there when it began.
    pub(super) queued: usize,
    /// Jobs that the worker had when it began, or has taken from the queue since.
    pub(super) jobs: HashSet<u64>,
    pub(super) report: FlushReport,
    pub(super) deadline: Option<Instant>,
    /// Half of the time until then is over.
    pub(super) half_time: Option<Instant>,
    pub(super) reply: Reply,
}

pub(super) enum Reply {
    Flush(oneshot::Sender<FlushReport>),
    Shutdown(oneshot::Sender<ShutdownReport>),
    /// Nobody is left who could ask: the worker ends with what it began.
    Abandoned,
}

impl Flush {
    /// A job was taken from the queue.
    pub(super) fn started(&mut self, job: u64) {
        if self.is_last() || self.queued > 0 {
            self.jobs.insert(job);
        }
        self.queued = self.queued.saturating_sub(1);
    }

    pub(super) fn settled(&mut self, job: u64, settlement: Settlement) {
        if self.jobs.remove(&job) {
            self.report.count(settlement);
        }
    }

    /// Whether the worker ends with it. Then it waits for whatever is handed over meanwhile, too.
    pub(super) fn is_last(&self) -> bool {
        !matches!(self.reply, Reply::Flush(_))
    }

    /// A job came back from disk.
    pub(super) fn resumed(&mut self, job: u64) {
        // The oldest come back first: it is one of those that were waited for.
        let is_waited_for = self.report.spooled > 0;
        self.report.spooled = self.report.spooled.saturating_sub(1);
        if is_waited_for || self.is_last() {
            self.jobs.insert(job);
        }
    }

    /// Whether the worker has little time left: the second half of its last flush.
    pub(super) fn is_ending(&mut self, now: Instant) -> bool {
        // Taken only here: the worker is woken for it until this has been seen.
        self.half_time.take_if(|half| *half <= now);
        self.is_last() && self.half_time.is_none() && self.deadline.is_some()
    }

    /// When something is to be done for it.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        self.half_time.filter(|_| self.is_last()).or(self.deadline)
    }

    pub(super) fn is_over(&self, now: Instant, is_queue_empty: bool, has_more: bool) -> bool {
        let is_rest_done = match self.is_last() {
            true => is_queue_empty && !has_more,
            false => self.report.spooled == 0 || !has_more,
        };
        let is_complete = self.queued == 0 && self.jobs.is_empty() && is_rest_done;
        is_complete || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Says what became of what it waited for. `spooled` are all reports on disk, `in_flight` exchanges that have not ended.
    pub(super) fn answer(self, spooled: u64, in_flight: u64) {
        let report = FlushReport { pending: (self.queued + self.jobs.len()) as u64, ..self.report };
        // Whoever asked may be gone: then nobody learns the result.
        match self.reply {
            Reply::Flush(reply) => drop(reply.send(report)),
            Reply::Shutdown(reply) => drop(reply.send(ShutdownReport::of(report, spooled, in_flight))),
            Reply::Abandoned => {}
        }
    }
}
