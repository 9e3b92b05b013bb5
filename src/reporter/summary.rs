use std::collections::HashSet;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::stats::{Settlement, Stats};

/// What became of interactions while a [`flush`](crate::Reporter::flush) waited.
///
/// Everything that was settled in that time counts, whether it was handed over before the call or during it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushSummary {
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
    /// Interactions that were handed over before the call and are not settled: the deadline came first. If the worker did
    /// not answer in time, those handed over since are counted too.
    pub pending: u64,
}

/// What became of interactions while a [`shutdown`](crate::Reporter::shutdown) waited.
/// [`Stats`](crate::Stats) has what was settled before, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownSummary {
    /// Reports that the collector took.
    pub delivered: u64,
    /// Reports that the collector refused for good.
    pub rejected: u64,
    /// Interactions that were lost since the call: those that the deadline came before, and requests that came after the
    /// call, which are captured no more.
    pub dropped: u64,
    /// Interactions that, by intent, were not sent.
    pub withheld: u64,
    /// Reports that are on disk, those of before among them: the next process delivers them.
    pub spooled: u64,
    /// Exchanges that had not ended: nobody will report them.
    pub in_flight: u64,
}

/// How things stand when a flush or a shutdown returns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) stats: Stats,
    /// Interactions that were waited for and are not settled.
    pub(crate) pending: u64,
    /// Reports that are on disk.
    pub(crate) spooled: u64,
    /// Exchanges that have not ended.
    pub(crate) in_flight: u64,
}

impl FlushSummary {
    /// Whether nothing was lost and nothing is left.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.pending == 0 && self.spooled == 0
    }

    /// The difference that a flush made. The caller takes `before`, not the worker, which may notice the call late.
    pub(crate) fn since(before: &Stats, outcome: &Outcome) -> Self {
        let Outcome { stats, pending, spooled, .. } = outcome;
        Self {
            delivered: stats.delivered.saturating_sub(before.delivered),
            rejected: stats.rejected.saturating_sub(before.rejected),
            dropped: stats.dropped_total().saturating_sub(before.dropped_total()),
            withheld: stats.withheld_total().saturating_sub(before.withheld_total()),
            spooled: *spooled,
            pending: *pending,
        }
    }
}

impl ShutdownSummary {
    /// Whether nothing was lost.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.in_flight == 0
    }

    /// The difference that a shutdown made. Whatever is still pending is lost.
    pub(crate) fn since(before: &Stats, outcome: &Outcome) -> Self {
        let FlushSummary { delivered, rejected, dropped, withheld, spooled, pending } =
            FlushSummary::since(before, outcome);
        Self {
            delivered,
            rejected,
            dropped: dropped + pending,
            withheld,
            spooled,
            in_flight: outcome.in_flight,
        }
    }
}

/// A flush under way: what was there when it began, and what has become of it.
pub(crate) struct Flush {
    /// Exchanges in the queue that were there when it began.
    pub(crate) queued: usize,
    /// Jobs that the worker had when it began, or has taken from the queue since.
    pub(crate) jobs: HashSet<u64>,
    /// Reports on disk only: those that were there when it began, and those that it waited for.
    pub(crate) spooled: u64,
    pub(crate) deadline: Option<Instant>,
    /// Half of the time until then is over.
    pub(crate) half_time: Option<Instant>,
    pub(crate) reply: Reply,
}

pub(crate) enum Reply {
    Flush(oneshot::Sender<Outcome>),
    Shutdown(oneshot::Sender<Outcome>),
    /// Nobody is left who could ask: the worker ends with what it began.
    Abandoned,
}

impl Flush {
    /// A job was taken from the queue.
    pub(crate) fn started(&mut self, job: u64) {
        if self.is_last() || self.queued > 0 {
            self.jobs.insert(job);
        }
        self.queued = self.queued.saturating_sub(1);
    }

    pub(crate) fn settled(&mut self, job: u64, settlement: Settlement) {
        if self.jobs.remove(&job) && matches!(settlement, Settlement::Spooled) {
            self.spooled += 1;
        }
    }

    /// Whether the worker ends with it. Then it waits for whatever is handed over meanwhile, too.
    pub(crate) fn is_last(&self) -> bool {
        !matches!(self.reply, Reply::Flush(_))
    }

    /// A job came back from disk.
    pub(crate) fn resumed(&mut self, job: u64) {
        // The oldest come back first: it is one of those that were waited for.
        let is_waited_for = self.spooled > 0;
        self.spooled = self.spooled.saturating_sub(1);
        if is_waited_for || self.is_last() {
            self.jobs.insert(job);
        }
    }

    /// Whether the worker has little time left: the second half of its last flush.
    pub(crate) fn is_ending(&mut self, now: Instant) -> bool {
        // Taken only here: the worker is woken for it until this has been seen.
        self.half_time.take_if(|half| *half <= now);
        self.is_last() && self.half_time.is_none() && self.deadline.is_some()
    }

    /// When something is to be done for it.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        self.half_time.filter(|_| self.is_last()).or(self.deadline)
    }

    pub(crate) fn is_over(&self, now: Instant, is_queue_empty: bool, has_more: bool) -> bool {
        let is_rest_done = match self.is_last() {
            true => is_queue_empty && !has_more,
            false => self.spooled == 0 || !has_more,
        };
        let is_complete = self.queued == 0 && self.jobs.is_empty() && is_rest_done;
        is_complete || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Answers a flush that the worker outlives.
    pub(crate) fn answer(self, stats: Stats) {
        let pending = (self.queued + self.jobs.len()) as u64;
        let spooled = self.spooled;
        self.reply.send(Outcome { stats, pending, spooled, in_flight: 0 });
    }
}

impl Reply {
    pub(crate) fn send(self, outcome: Outcome) {
        match self {
            // The caller may be gone: then nobody learns the result.
            Self::Flush(reply) | Self::Shutdown(reply) => drop(reply.send(outcome)),
            Self::Abandoned => {}
        }
    }
}
