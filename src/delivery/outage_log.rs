//! Logs outages: once per episode, with counts, and without content, keys or answers.

use std::time::Duration;

use tokio::time::Instant;

use crate::stats::Stats;
use crate::transport::DeliveryError;

/// The minimum time between two warnings of one kind.
const QUIET: Duration = Duration::from_secs(60);

/// How many failures without a success make an episode. A single failure may be the report's own.
const EPISODE: u64 = 2;

/// Logs the times when reports are not delivered.
#[derive(Debug, Default)]
pub(crate) struct OutageLog {
    /// The time of the first failure since the last success.
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
        } else if self.failures >= EPISODE && !self.is_told && is_due(&mut self.told, QUIET) {
            self.is_told = true;
            tracing::warn!(%error, waiting, "reports wait to be delivered");
        }
    }
}

/// Logs lost reports.
#[derive(Debug, Default)]
pub(crate) struct LossLog {
    /// The number of lost reports at the last warning.
    known: u64,
    told: Option<Instant>,
}

impl LossLog {
    /// Logs the losses, unless there was a recent warning.
    pub(crate) fn look(&mut self, stats: impl FnOnce() -> Stats) {
        if self.told.is_none_or(|told| told.elapsed() >= QUIET) {
            self.tell(&stats());
        }
    }

    /// Logs the losses since the last warning.
    pub(crate) fn tell(&mut self, stats: &Stats) {
        let all = stats.rejected + stats.dropped_total();
        let lost = all - self.known;
        if lost > 0 {
            (self.known, self.told) = (all, Some(Instant::now()));
            tracing::warn!(lost, last_failure = ?stats.last_failure, %stats, "reports were lost");
        }
    }
}

/// Whether something may be logged that was logged `last`, at most once in every `quiet` period.
pub(crate) fn is_due(last: &mut Option<Instant>, quiet: Duration) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= quiet);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}
