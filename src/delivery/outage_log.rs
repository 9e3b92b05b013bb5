//! What the log hears: once an episode, with counts, and nothing of content, keys or answers.

use std::time::Duration;

use tokio::time::Instant;

use crate::stats::Stats;
use crate::transport::DeliveryError;

/// The shortest time between two warnings of one kind.
const QUIET: Duration = Duration::from_secs(60);

/// So many failures with no success between make an episode. A single one is a report's own.
const EPISODE: u64 = 2;

/// Times in which reports are not delivered.
#[derive(Debug, Default)]
pub(crate) struct OutageLog {
    /// When the first of the failures came that no success has followed.
    since: Option<Instant>,
    failures: u64,
    is_told: bool,
    are_keys_told: bool,
    told: Option<Instant>,
}

impl OutageLog {
    pub(crate) fn delivered(&mut self) {
        let (failures, since) = (std::mem::take(&mut self.failures), self.since.take());
        self.are_keys_told = false;
        if std::mem::take(&mut self.is_told) {
            let seconds = since.map(|since| since.elapsed().as_secs());
            tracing::info!(failures, seconds, "reports are delivered again");
        }
    }

    pub(crate) fn failed(&mut self, error: &DeliveryError, are_keys_doubted: bool, waiting: usize) {
        self.since.get_or_insert_with(Instant::now);
        self.failures += 1;
        if are_keys_doubted && !std::mem::replace(&mut self.are_keys_told, true) {
            self.is_told = true;
            tracing::warn!(%error, waiting, "reports wait until the keys are accepted");
        } else if self.failures >= EPISODE && !self.is_told && is_due(&mut self.told) {
            self.is_told = true;
            tracing::warn!(%error, waiting, "reports wait to be delivered");
        }
    }
}

/// Reports that nobody will see.
#[derive(Debug, Default)]
pub(crate) struct LossLog {
    /// What was lost when it was last told.
    known: u64,
    told: Option<Instant>,
}

impl LossLog {
    /// Tells what was lost, if it is time.
    pub(crate) fn look(&mut self, stats: impl FnOnce() -> Stats) {
        if self.told.is_none_or(|told| told.elapsed() >= QUIET) {
            self.tell(&stats());
        }
    }

    /// Tells what was lost since the last time.
    pub(crate) fn tell(&mut self, stats: &Stats) {
        let all = stats.rejected + stats.dropped_total();
        let lost = all - self.known;
        if lost > 0 {
            (self.known, self.told) = (all, Some(Instant::now()));
            tracing::warn!(lost, last_failure = ?stats.last_failure, %stats, "reports were lost");
        }
    }
}

fn is_due(last: &mut Option<Instant>) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= QUIET);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}
