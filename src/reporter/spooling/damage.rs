//! Logs damaged segments: one line for the first, and one with counts at the end of the episode.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::names::LOG;

/// An episode ends after this time without another damaged segment.
const QUIET: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// When the last damaged segment was found.
    last: Option<Instant>,
    segments: u64,
    records: u64,
}

impl Damage {
    /// Records a damaged segment and the path of its quarantine. Debug output escapes special
    /// characters in the path.
    pub(crate) fn found(&mut self, records: u64, aside: &Path) {
        if self.last.replace(Instant::now()).is_none() {
            tracing::warn!(target: LOG, records,
                ?aside,
                "reports on disk are damaged, and lost; the segments are set aside"
            );
        }
        self.segments += 1;
        self.records += records;
    }

    /// When the episode ends if no more damage is found.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.last.map(|last| last + QUIET)
    }

    /// Logs the end of the episode once it is due.
    pub(crate) fn look(&mut self) {
        if self.end().is_some_and(|end| end <= Instant::now()) {
            self.ended();
        }
    }

    /// Logs the end of the episode, if one has begun.
    pub(crate) fn ended(&mut self) {
        let Self { last, segments, records } = std::mem::take(self);
        if last.is_some() {
            tracing::warn!(target: LOG, segments, records, "no more damaged reports are found on disk");
        }
    }
}
