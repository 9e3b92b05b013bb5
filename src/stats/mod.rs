//! The counters: how every interaction ended.

mod counters;
mod metrics;
mod reasons;

use std::fmt;

pub(crate) use self::counters::Counters;
pub use self::metrics::Metric;
pub use self::reasons::{DropReason, FailureClass, WithholdReason};
pub(crate) use self::reasons::{Losses, Settlement};

/// The state of every interaction since the layer was created.
///
/// At rest, `captured == delivered + rejected + dropped + withheld + pending + spooled`. Otherwise
/// the right side may be smaller, by the number of interactions captured during the snapshot. It is
/// never larger, and includes all interactions captured before the snapshot.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Exchanges recognised by a layer, interactions reported by hand, and
    /// [recovered](Self::recovered) reports.
    pub captured: u64,
    /// Reports that the collector accepted.
    pub delivered: u64,
    /// Reports that the collector rejected permanently.
    pub rejected: u64,
    /// Interactions in memory that are not settled: being captured, queued or being delivered.
    pub pending: u64,
    /// Reports on disk only, to be delivered by this process or the next one. Reports left by an
    /// earlier process are counted once they have been read.
    pub spooled: u64,
    /// Reports that are [pending](Self::pending) and on disk too
    /// ([`Spooling::Always`](crate::Spooling::Always)). They survive the process.
    pub pending_on_disk: u64,
    /// Retries of reports, beyond the first attempt.
    pub retried: u64,
    /// Reports with only the complete parts of a request or response, or only its length. Either
    /// the request was not read to its end, or the body was longer than
    /// [`Limits::body_bytes`](crate::Limits::body_bytes), or it ended in the middle of its
    /// JSON or form. Reports of the Responses API with more than 10,000 items count too.
    pub truncated: u64,
    /// Reports whose request or response had a `content-encoding` that could not be decoded, and
    /// was neither JSON nor an event stream as it was. They contain its length.
    pub undecodable: u64,
    /// Reports whose request or response would have taken too much work to read: it was built to be
    /// slow, or arrived while other large bodies were waiting to be read. They contain its type and
    /// length.
    pub unread: u64,
    /// Reports whose request or response became valid JSON only by a replacement: of bytes that
    /// were not UTF-8 by U+FFFD, or of the bare numbers `NaN`, `Infinity` and `-Infinity` by
    /// strings.
    pub mended: u64,
    /// Stream events that could not be read, and are missing in their reports.
    pub skipped_events: u64,
    /// Panics of hooks. After a panic of [`before_send`](crate::ConfigBuilder::before_send) the
    /// report has no content; after one of [`session_from`](crate::ConfigBuilder::session_from) it
    /// has no session.
    pub hook_panics: u64,
    /// Bytes of recorded bodies and reports held in memory now.
    pub bytes_held: u64,
    /// Reports left on disk by an earlier process, and read by this one.
    pub recovered: u64,
    /// How many times the disk failed or was full. Reports then stayed in memory, or could not be
    /// read yet.
    pub spool_failures: u64,
    /// Delivery attempts under way now, one per report.
    pub sending: u64,
    /// The class of the last failed attempt; `None` before the first.
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

    /// Interactions intentionally not sent, for one reason.
    pub fn withheld(&self, reason: WithholdReason) -> u64 {
        self.withheld.get(reason as usize).copied().unwrap_or_default()
    }

    /// Interactions intentionally not sent, for all reasons together.
    pub fn withheld_total(&self) -> u64 {
        self.withheld.iter().sum()
    }

    /// Interactions that have ended: delivered, rejected, dropped or withheld.
    pub fn settled(&self) -> u64 {
        self.delivered + self.rejected + self.dropped_total() + self.withheld_total()
    }

    /// Interactions that have not ended: pending or spooled.
    pub fn unsettled(&self) -> u64 {
        self.pending + self.spooled
    }
}

/// One line: the places in which interactions are, the reasons that occurred, and the other values
/// that are not zero.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captured, delivered, rejected, pending, spooled, .. } = self;
        write!(f, "{captured} captured = {delivered} delivered + {rejected} rejected")?;
        write!(f, " + {} dropped", self.dropped_total())?;
        reasons(
            f,
            DropReason::ALL.iter().map(|reason| (reason as &dyn fmt::Display, self.dropped(*reason))),
        )?;
        write!(f, " + {} withheld", self.withheld_total())?;
        reasons(
            f,
            WithholdReason::ALL.iter().map(|reason| (reason as &dyn fmt::Display, self.withheld(*reason))),
        )?;
        write!(f, " + {pending} pending + {spooled} spooled")?;
        let others = [
            ("pending_on_disk", self.pending_on_disk),
            ("sending", self.sending),
            ("bytes_held", self.bytes_held),
            ("retried", self.retried),
            ("truncated", self.truncated),
            ("undecodable", self.undecodable),
            ("unread", self.unread),
            ("mended", self.mended),
            ("skipped_events", self.skipped_events),
            ("hook_panics", self.hook_panics),
            ("recovered", self.recovered),
            ("spool_failures", self.spool_failures),
        ];
        for (name, value) in others.into_iter().filter(|(_, value)| *value > 0) {
            write!(f, ", {value} {name}")?;
        }
        self.last_failure.map_or(Ok(()), |class| write!(f, ", last_failure {class}"))
    }
}

fn reasons<'a>(
    f: &mut fmt::Formatter<'_>,
    counts: impl Iterator<Item = (&'a dyn fmt::Display, u64)>,
) -> fmt::Result {
    let occurred: Vec<_> =
        counts.filter(|(_, count)| *count > 0).map(|(reason, count)| format!("{reason} {count}")).collect();
    if occurred.is_empty() { Ok(()) } else { write!(f, " ({})", occurred.join(", ")) }
}
