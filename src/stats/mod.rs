//! The counters: what became of every interaction.

mod counters;
mod reasons;

use std::fmt;

pub(crate) use self::counters::Counters;
pub use self::reasons::{DropReason, FailureClass, WithholdReason};
pub(crate) use self::reasons::{Losses, Settlement};

/// What became of every interaction since the layer was made.
///
/// Whenever nothing moves, `captured == delivered + rejected + dropped + withheld + pending`. While something moves, the
/// right side may be smaller by what is captured meanwhile. It is never larger, and never misses what was captured before
/// the snapshot was taken.
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
    /// Exchanges recognised by a layer, interactions reported by hand, and reports [recovered](Self::recovered).
    pub captured: u64,
    /// Reports that the collector took.
    pub delivered: u64,
    /// Reports that the collector answered, and refused for good.
    pub rejected: u64,
    /// Interactions on their way: being captured, queued, being delivered, or on disk.
    pub pending: u64,
    /// Further attempts to deliver a report, after its first.
    pub retried: u64,
    /// Reports that have only the complete parts of a request or response, or its length, because the request was
    /// not read to its end, or the body was longer
    /// than [`max_body_bytes`](crate::ConfigBuilder::max_body_bytes) or broke off in the middle of its JSON or form; also
    /// those of the Responses API that had more than 10,000 items.
    pub truncated: u64,
    /// Reports whose request or response had a `content-encoding` that could not be undone, and was neither JSON nor an
    /// event stream as it stood. They have its length.
    pub undecodable: u64,
    /// Reports whose request or response would have cost too much work to read, and stands there by type and length: it was
    /// built to be slow, or came while other large bodies were waiting to be read.
    pub unread: u64,
    /// Reports whose request or response became JSON only by replacing something: bytes that were not UTF-8 by U+FFFD, or
    /// the bare numbers `NaN`, `Infinity` and `-Infinity` by strings.
    pub mended: u64,
    /// Events of streams that could not be read, and are missing in their reports.
    pub skipped_events: u64,
    /// Hooks that panicked: [`before_send`](crate::ConfigBuilder::before_send), whose report then went without content, or
    /// [`session_from`](crate::ConfigBuilder::session_from), whose report then had no session.
    pub hook_panics: u64,
    /// Bytes of recorded bodies and reports that are held now.
    pub bytes_held: u64,
    /// Reports that are on disk now, those that are in memory too among them. What a former process left is counted once
    /// it has been read.
    pub spooled: u64,
    /// Reports that a former process left on disk, and that were read.
    pub recovered: u64,
    /// How often the disk failed, or was full: reports stayed in memory then, or could not be read yet.
    pub spool_failures: u64,
    /// Reports that are being sent now, each by one attempt.
    pub in_flight: u64,
    /// How the last delivery failed that did; `None` before the first.
    pub last_failure: Option<FailureClass>,
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
