//! What the log hears of segments that cannot be read whole: one line when the first is found, one with counts at the end.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

/// So long without another damaged segment, and the episode is over.
const QUIET: Duration = Duration::from_secs(60);

/// An episode of damaged segments.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// When the last one was found.
    last: Option<Instant>,
    segments: u64,
    records: u64,
}

impl Damage {
    /// Notes a damaged segment, and where it will be set aside. Debug output escapes what a path may have in it.
    pub(crate) fn found(&mut self, records: u64, aside: &Path) {
        if self.last.replace(Instant::now()).is_none() {
            tracing::warn!(
                records,
                ?aside,
                "reports on disk are damaged, and lost; the segments are set aside"
            );
        }
        self.segments += 1;
        self.records += records;
    }

    /// When the episode is over, if no more are found.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.last.map(|last| last + QUIET)
    }

    /// Tells of the end if it has come.
    pub(crate) fn look(&mut self) {
        if self.end().is_some_and(|end| end <= Instant::now()) {
            self.ended();
        }
    }

    /// Tells of the end, if there was a beginning.
    pub(crate) fn ended(&mut self) {
        let Self { last, segments, records } = std::mem::take(self);
        if last.is_some() {
            tracing::warn!(segments, records, "no more damaged reports are found on disk");
        }
    }
}
