use std::collections::HashSet;
use std::fmt;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::stats::{Settlement, Stats};

/// The outcome of interactions while a [`flush`](crate::Reporter::flush) waited.
///
/// All interactions settled in that time count, whether they were handed over before the call or
/// during it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushSummary {
    /// Reports that the collector accepted.
    pub delivered: u64,
    /// Reports that the collector rejected permanently.
    pub rejected: u64,
    /// Interactions that were lost; [`Stats`](crate::Stats) has the reasons.
    pub dropped: u64,
    /// Interactions that were intentionally not sent.
    pub withheld: u64,
    /// Reports that are on disk only, including reports from before the call. This process or the
    /// next one delivers them once the collector accepts them.
    pub spooled: u64,
    /// Interactions handed over before the call that were not settled by the deadline. If the
    /// worker did not answer in time, interactions handed over since are counted too.
    pub pending: u64,
}

/// The outcome of interactions while a [`shutdown`](crate::Reporter::shutdown) waited.
/// [`Stats`](crate::Stats) also counts the interactions settled before the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownSummary {
    /// Reports that the collector accepted.
    pub delivered: u64,
    /// Reports that the collector rejected permanently.
    pub rejected: u64,
    /// Interactions lost since the call: those not settled by the deadline, and requests made after
    /// the call, which are no longer captured.
    pub dropped: u64,
    /// Interactions that were intentionally not sent.
    pub withheld: u64,
    /// Reports on disk, including reports from before the call. The next process delivers them.
    pub spooled: u64,
    /// Exchanges that were still open. They are never reported.
    pub exchanges_open: u64,
}

/// The counts when a flush or a shutdown returns.
#[derive(Clone, Debug)]
pub(crate) struct FinalCounts {
    pub(crate) stats: Stats,
    /// Interactions that the call waited for and that are not settled.
    pub(crate) pending: u64,
    /// Reports on disk.
    pub(crate) spooled: u64,
    /// Exchanges that are still open.
    pub(crate) exchanges_open: u64,
}

impl FlushSummary {
    /// Whether no interactions were lost and none remain.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.pending == 0 && self.spooled == 0
    }

    /// The difference between the counts before and after a flush. The caller reads `before`,
    /// because the worker may receive the command late.
    pub(crate) fn since(before: &Stats, outcome: &FinalCounts) -> Self {
        let FinalCounts { stats, pending, spooled, .. } = outcome;
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
    /// Whether no interactions were lost.
    pub fn is_complete(&self) -> bool {
        self.dropped == 0 && self.exchanges_open == 0
    }

    /// The difference between the counts before and after a shutdown. Interactions still pending
    /// are lost.
    pub(crate) fn since(before: &Stats, outcome: &FinalCounts) -> Self {
        let FlushSummary { delivered, rejected, dropped, withheld, spooled, pending } =
            FlushSummary::since(before, outcome);
        Self {
            delivered,
            rejected,
            dropped: dropped + pending,
            withheld,
            spooled,
            exchanges_open: outcome.exchanges_open,
        }
    }
}

/// One line with all counts by name.
impl fmt::Display for FlushSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, rejected, dropped, withheld, spooled, pending } = self;
        write!(f, "{delivered} delivered, {rejected} rejected, {dropped} dropped, {withheld} withheld, ")?;
        write!(f, "{spooled} spooled, {pending} pending")
    }
}

/// One line with all counts by name.
impl fmt::Display for ShutdownSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, rejected, dropped, withheld, spooled, exchanges_open } = self;
        write!(f, "{delivered} delivered, {rejected} rejected, {dropped} dropped, {withheld} withheld, ")?;
        write!(f, "{spooled} spooled, {exchanges_open} exchanges_open")
    }
}

/// A flush in progress: the work it waits for.
pub(crate) struct Flush {
    /// Items that were in the queue at the start.
    pub(crate) queued: usize,
    /// The last job begun before the start.
    pub(crate) last: u64,
    /// The number of unsettled jobs up to that one: the flush waits for all of them.
    pub(crate) held: usize,
    /// Jobs begun since that the flush waits for. They are not the first ones: it does not wait for
    /// a report handed over since, but for one that comes back from disk later.
    pub(crate) jobs: HashSet<u64>,
    /// Reports on disk only: those there at the start, and those spooled since that the flush waits
    /// for.
    pub(crate) spooled: u64,
    pub(crate) begun: Instant,
    pub(crate) deadline: Option<Instant>,
    /// Half of the time to the deadline; `None` once it has passed.
    pub(crate) half_time: Option<Instant>,
    pub(crate) reply: Reply,
}

pub(crate) enum Reply {
    Flush(oneshot::Sender<FinalCounts>),
    Shutdown(oneshot::Sender<FinalCounts>),
    /// All handles are gone: the worker flushes by itself before it ends.
    Abandoned,
}

impl Flush {
    /// Handles a job taken from the queue.
    pub(crate) fn started(&mut self, job: u64) {
        if self.is_last() || self.queued > 0 {
            self.jobs.insert(job);
        }
        self.queued = self.queued.saturating_sub(1);
    }

    pub(crate) fn settled(&mut self, job: u64, settlement: Settlement) {
        let was_held = job <= self.last;
        self.held = self.held.saturating_sub(was_held.into());
        if (was_held || self.jobs.remove(&job)) && settlement == Settlement::Spooled {
            self.spooled += 1;
        }
    }

    /// Whether the worker ends after this flush. Then it also waits for interactions handed over in
    /// the meantime.
    pub(crate) fn is_last(&self) -> bool {
        !matches!(self.reply, Reply::Flush(_))
    }

    /// Handles a job loaded from disk.
    pub(crate) fn resumed(&mut self, job: u64) {
        // The oldest reports are loaded first, so the flush waits for this one.
        let is_waited_for = self.spooled > 0;
        self.spooled = self.spooled.saturating_sub(1);
        if is_waited_for || self.is_last() {
            self.jobs.insert(job);
        }
    }

    /// Whether the worker is in the second half of its last flush, with little time left.
    pub(crate) fn is_ending(&mut self, now: Instant) -> bool {
        // Taken only here: the worker wakes up for it until this call has seen it.
        self.half_time.take_if(|half| *half <= now);
        self.is_last() && self.half_time.is_none() && self.deadline.is_some()
    }

    /// When the flush next needs attention.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        self.half_time.filter(|_| self.is_last()).or(self.deadline)
    }

    pub(crate) fn is_over(&self, now: Instant, is_queue_empty: bool, has_more: bool) -> bool {
        let is_rest_done = match self.is_last() {
            true => is_queue_empty && !has_more,
            false => self.spooled == 0 || !has_more,
        };
        self.pending() == 0 && is_rest_done || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// The number of interactions that the flush waits for, except those on disk.
    fn pending(&self) -> usize {
        self.queued + self.held + self.jobs.len()
    }

    /// Answers a flush after which the worker continues.
    pub(crate) fn answer(self, stats: Stats) {
        let (pending, spooled) = (self.pending() as u64, self.spooled);
        self.reply.send(FinalCounts { stats, pending, spooled, exchanges_open: 0 });
    }
}

impl Reply {
    pub(crate) fn send(self, outcome: FinalCounts) {
        match self {
            // If the caller is gone, the result is discarded.
            Self::Flush(reply) | Self::Shutdown(reply) => drop(reply.send(outcome)),
            Self::Abandoned => {}
        }
    }
}
