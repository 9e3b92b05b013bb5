//! The counters: what became of every interaction.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

/// Why an interaction was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// [`max_items`](crate::ConfigBuilder::max_items) were on their way already.
    TooManyItems,
    /// Recording it would have taken more than [`max_bytes`](crate::ConfigBuilder::max_bytes).
    TooManyBytes,
    /// No attempt to deliver it succeeded.
    Undelivered,
    /// The reporter was shut down, or everything that held it was gone, before it was delivered.
    Shutdown,
    /// Code that handled it panicked: the transport, or a defect of this crate.
    Panicked,
}

/// Why an interaction was, by intent, not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WithholdReason {
    /// The answer was not a success: Reconify documents no shape for one.
    Refused,
    /// There was no answer: the inner service returned an error.
    Failed,
    /// The application asked to leave it out ([`DoNotReport`](crate::DoNotReport)).
    OptedOut,
    /// Its session was not among those that are reported ([`ConfigBuilder::sample`](crate::ConfigBuilder::sample)).
    SampledOut,
    /// The hook gave nothing back ([`ConfigBuilder::before_send`](crate::ConfigBuilder::before_send)).
    Hook,
}

/// How one interaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    Delivered,
    Rejected,
    Dropped(DropReason),
    Withheld(WithholdReason),
}

/// What of a body could not be reported as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    /// There was more of it than is reported.
    pub(crate) is_truncated: bool,
    /// It was encoded in a way that could not be undone.
    pub(crate) is_undecodable: bool,
    /// Events of it that could not be read.
    pub(crate) skipped: u64,
    /// Hooks that panicked over it.
    pub(crate) hook_panics: u64,
}

impl Losses {
    /// Those of two bodies.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            is_truncated: self.is_truncated || other.is_truncated,
            is_undecodable: self.is_undecodable || other.is_undecodable,
            skipped: self.skipped + other.skipped,
            hook_panics: self.hook_panics + other.hook_panics,
        }
    }
}

impl DropReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 5] =
        [Self::TooManyItems, Self::TooManyBytes, Self::Undelivered, Self::Shutdown, Self::Panicked];
}

impl WithholdReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Refused, Self::Failed, Self::OptedOut, Self::SampledOut, Self::Hook];
}

/// What became of every interaction since the layer was made.
///
/// Whenever nothing moves, `captured == delivered + rejected + dropped + withheld + pending`. While something moves, a
/// snapshot may be behind, but never shows more settled than captured.
///
/// ```
/// # use tower_reconify::{Config, DropReason, ReconifyLayer};
/// let layer = ReconifyLayer::new(Config::builder("app", "key").build()?);
/// let stats = layer.reporter().stats();
/// assert_eq!(stats.captured, 0);
/// assert_eq!(stats.dropped(DropReason::TooManyItems), 0);
/// println!("{stats}");
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Exchanges recognised by a layer, and interactions reported by hand.
    pub captured: u64,
    /// Reports that the collector took.
    pub delivered: u64,
    /// Reports that the collector answered, and refused for good.
    pub rejected: u64,
    /// Interactions on their way: being captured, queued, or being delivered.
    pub pending: u64,
    /// Further attempts to deliver a report, after its first.
    pub retried: u64,
    /// Reports whose request or response was longer than
    /// [`max_body_bytes`](crate::ConfigBuilder::max_body_bytes), and stands there in part or by its length; those of the
    /// Responses API too that had more than 10,000 items.
    pub truncated: u64,
    /// Reports whose request or response had a `content-encoding` that could not be undone, and stands there by its
    /// length.
    pub undecodable: u64,
    /// Events of streams that could not be read, and are missing in their reports.
    pub skipped_events: u64,
    /// Hooks that panicked: [`before_send`](crate::ConfigBuilder::before_send), whose report then went without content, or
    /// [`session_from`](crate::ConfigBuilder::session_from), whose report then had no session.
    pub hook_panics: u64,
    /// Bytes of recorded bodies and reports that are held now.
    pub bytes_held: u64,
    dropped: [u64; DropReason::ALL.len()],
    withheld: [u64; WithholdReason::ALL.len()],
}

impl Stats {
    /// Interactions lost for one reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or_default()
    }

    /// Interactions lost, for all reasons together.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Interactions not sent by intent, for one reason.
    pub fn withheld(&self, reason: WithholdReason) -> u64 {
        self.withheld.get(reason as usize).copied().unwrap_or_default()
    }

    /// Interactions not sent by intent, for all reasons together.
    pub fn withheld_total(&self) -> u64 {
        self.withheld.iter().sum()
    }

    /// Interactions whose fate is known.
    pub fn settled(&self) -> u64 {
        self.delivered + self.rejected + self.dropped_total() + self.withheld_total()
    }
}

/// One line, for a log: the counts, and the reasons that occurred.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captured, delivered, rejected, pending, .. } = self;
        write!(f, "{captured} captured = {delivered} delivered + {rejected} rejected")?;
        write!(f, " + {} dropped", self.dropped_total())?;
        reasons(f, DropReason::ALL.iter().map(|reason| (reason as &dyn fmt::Debug, self.dropped(*reason))))?;
        write!(f, " + {} withheld", self.withheld_total())?;
        reasons(
            f,
            WithholdReason::ALL.iter().map(|reason| (reason as &dyn fmt::Debug, self.withheld(*reason))),
        )?;
        write!(f, " + {pending} pending")
    }
}

fn reasons<'a>(
    f: &mut fmt::Formatter<'_>,
    counts: impl Iterator<Item = (&'a dyn fmt::Debug, u64)>,
) -> fmt::Result {
    let occurred: Vec<_> =
        counts.filter(|(_, count)| *count > 0).map(|(reason, count)| format!("{reason:?} {count}")).collect();
    if occurred.is_empty() { Ok(()) } else { write!(f, " ({})", occurred.join(", ")) }
}

/// The counters behind [`Stats`]. An interaction is counted as captured before anything else happens to it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    captured: AtomicU64,
    delivered: AtomicU64,
    rejected: AtomicU64,
    retried: AtomicU64,
    truncated: AtomicU64,
    undecodable: AtomicU64,
    skipped_events: AtomicU64,
    hook_panics: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    withheld: [AtomicU64; WithholdReason::ALL.len()],
}

impl Counters {
    pub(crate) fn capture(&self) {
        self.captured.fetch_add(1, SeqCst);
    }

    pub(crate) fn retry(&self) {
        self.retried.fetch_add(1, Relaxed);
    }

    /// Counts what is missing in one report.
    pub(crate) fn lose(&self, losses: Losses) {
        self.truncated.fetch_add(losses.is_truncated.into(), Relaxed);
        self.undecodable.fetch_add(losses.is_undecodable.into(), Relaxed);
        self.skipped_events.fetch_add(losses.skipped, Relaxed);
        self.hook_panics.fetch_add(losses.hook_panics, Relaxed);
    }

    pub(crate) fn settle(&self, settlement: Settlement) {
        let counter = match settlement {
            Settlement::Delivered => Some(&self.delivered),
            Settlement::Rejected => Some(&self.rejected),
            Settlement::Dropped(reason) => self.dropped.get(reason as usize),
            Settlement::Withheld(reason) => self.withheld.get(reason as usize),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, SeqCst);
        }
    }

    /// Reads what is settled before what was captured, so that the first never exceeds the second.
    pub(crate) fn snapshot(&self, pending: impl FnOnce() -> (u64, u64)) -> Stats {
        let mut stats = Stats {
            delivered: self.delivered.load(SeqCst),
            rejected: self.rejected.load(SeqCst),
            retried: self.retried.load(Relaxed),
            truncated: self.truncated.load(Relaxed),
            undecodable: self.undecodable.load(Relaxed),
            skipped_events: self.skipped_events.load(Relaxed),
            hook_panics: self.hook_panics.load(Relaxed),
            dropped: self.dropped.each_ref().map(|counter| counter.load(SeqCst)),
            withheld: self.withheld.each_ref().map(|counter| counter.load(SeqCst)),
            ..Stats::default()
        };
        (stats.pending, stats.bytes_held) = pending();
        stats.captured = self.captured.load(SeqCst);
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for reason in DropReason::ALL {
            counters.settle(Settlement::Dropped(reason));
        }
        for reason in WithholdReason::ALL {
            counters.settle(Settlement::Withheld(reason));
        }
        let stats = counters.snapshot(|| (0, 0));
        assert!(DropReason::ALL.iter().all(|reason| stats.dropped(*reason) == 1));
        assert!(WithholdReason::ALL.iter().all(|reason| stats.withheld(*reason) == 1));
        assert_eq!(stats.settled(), 10);
    }

    #[test]
    fn the_line_names_the_reasons_that_occurred() {
        let counters = Counters::default();
        counters.capture();
        counters.settle(Settlement::Dropped(DropReason::Shutdown));
        assert_eq!(
            counters.snapshot(|| (0, 0)).to_string(),
            "1 captured = 0 delivered + 0 rejected + 1 dropped (Shutdown 1) + 0 withheld + 0 pending"
        );
    }
}
