//! Logs outages: once per episode, with counts, and without content, keys or answers.

use std::time::Duration;

use tokio::time::Instant;

use crate::names::LOG;
use crate::stats::Stats;

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
    has_delivered: bool,
    /// The last failure, until the next success.
    last: Option<String>,
    /// The failure for which a report was last given up.
    given_up: Option<String>,
}

impl OutageLog {
    pub(crate) fn delivered(&mut self) {
        if !std::mem::replace(&mut self.has_delivered, true) {
            tracing::info!(target: LOG, "the first report was accepted");
        }
        self.last = None;
        let (failures, since) = (std::mem::take(&mut self.failures), self.since.take());
        self.are_keys_told = false;
        if std::mem::take(&mut self.is_told) {
            let seconds = since.map(|since| since.elapsed().as_secs());
            tracing::info!(target: LOG, failures, seconds, "reports are delivered again");
        }
    }

    pub(crate) fn gave_up(&mut self, error: String) {
        self.given_up = Some(error);
    }

    pub(crate) fn given_up(&self) -> Option<&str> {
        self.given_up.as_deref()
    }

    /// The last failure, if nothing was delivered since.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub(crate) fn failed(&mut self, error: String, are_keys_doubted: bool, waiting: usize) {
        self.since.get_or_insert_with(Instant::now);
        self.failures += 1;
        if are_keys_doubted && !std::mem::replace(&mut self.are_keys_told, true) {
            self.is_told = true;
            tracing::warn!(target: LOG, %error, waiting, "reports wait until the keys are accepted");
        } else if self.failures >= EPISODE && !self.is_told && is_due(&mut self.told, QUIET) {
            self.is_told = true;
            tracing::warn!(target: LOG, %error, waiting, "reports wait to be delivered");
        }
        self.last = Some(error);
    }
}

/// Logs reports that an earlier process left on disk.
#[derive(Debug, Default)]
pub(crate) struct RecoveryLog {
    /// The number at the last line.
    known: u64,
    told: Option<Instant>,
}

impl RecoveryLog {
    /// Logs how many were loaded, at the first and then at most once a minute; all `at_end`.
    pub(crate) fn look(&mut self, recovered: u64, at_end: bool) {
        if recovered > self.known && (is_due(&mut self.told, QUIET) || at_end) {
            self.known = recovered;
            tracing::info!(target: LOG, recovered, "reports of an earlier process were read from disk");
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
    /// Logs the losses with the last error, unless there was a recent warning.
    pub(crate) fn look(&mut self, stats: impl FnOnce() -> Stats, error: Option<&str>) {
        if self.told.is_none_or(|told| told.elapsed() >= QUIET) {
            self.tell(&stats(), error);
        }
    }

    /// How many were lost since this was asked last.
    pub(crate) fn take(&mut self, stats: &Stats) -> u64 {
        let all = stats.rejected + stats.dropped_total();
        all.saturating_sub(std::mem::replace(&mut self.known, all))
    }

    /// Logs the losses since the last warning.
    fn tell(&mut self, stats: &Stats, error: Option<&str>) {
        let lost = self.take(stats);
        if lost > 0 {
            self.told = Some(Instant::now());
            tracing::warn!(target: LOG, lost, error, %stats, "reports were lost");
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
