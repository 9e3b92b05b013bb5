use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use super::Stats;
use super::reasons::{DropReason, FailureClass, Losses, Settlement, WithholdReason};
use crate::sync::{AtomicU8, AtomicU64};

/// The counters behind [`Stats`]. An interaction is counted as captured before anything else
/// happens to it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    captured: AtomicU64,
    delivered: AtomicU64,
    rejected: AtomicU64,
    retried: AtomicU64,
    truncated: AtomicU64,
    undecodable: AtomicU64,
    unread: AtomicU64,
    mended: AtomicU64,
    skipped_events: AtomicU64,
    hook_panics: AtomicU64,
    sending: AtomicU64,
    /// Reports that left memory for the disk, and those that returned. These are two increasing
    /// counters, because a single one could miss a report that moves during a snapshot.
    spooled_total: AtomicU64,
    unspooled_total: AtomicU64,
    /// Reports that are both on disk and in memory.
    spooled_and_held: AtomicU64,
    recovered: AtomicU64,
    spool_failures: AtomicU64,
    /// The [`FailureClass`] of the last failure, plus one; zero before the first.
    last_failure: AtomicU8,
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

    /// How many reports are on disk only.
    pub(crate) fn on_disk(&self) -> u64 {
        self.on_disk_since(self.unspooled_total.load(SeqCst))
    }

    /// At least the number of reports that were on disk only at any time since `unspooled_total`
    /// had this value.
    fn on_disk_since(&self, unspooled_total: u64) -> u64 {
        self.spooled_total.load(SeqCst).saturating_sub(unspooled_total)
    }

    /// Sets the number of delivery attempts under way.
    pub(crate) fn set_sending(&self, attempts: usize) {
        self.sending.store(attempts as u64, Relaxed);
    }

    /// Counts a report loaded from disk. A foreign one is new to these counters.
    pub(crate) fn resume(&self, is_foreign: bool) {
        if is_foreign {
            self.captured.fetch_add(1, SeqCst);
            self.recovered.fetch_add(1, Relaxed);
        } else {
            self.unspooled_total.fetch_add(1, SeqCst);
        }
    }

    /// How many reports of earlier processes were loaded from disk.
    pub(crate) fn recovered(&self) -> u64 {
        self.recovered.load(Relaxed)
    }

    /// Sets the number of reports that are both in memory and on disk.
    pub(crate) fn set_spooled_and_held(&self, reports: usize) {
        self.spooled_and_held.store(reports as u64, Relaxed);
    }

    pub(crate) fn fail_to_spool(&self) {
        self.spool_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn fail(&self, class: FailureClass) {
        self.last_failure.store(class as u8 + 1, Relaxed);
    }

    /// Counts the missing content of one report.
    pub(crate) fn lose(&self, losses: Losses) {
        self.truncated.fetch_add(losses.is_truncated.into(), Relaxed);
        self.undecodable.fetch_add(losses.is_undecodable.into(), Relaxed);
        self.unread.fetch_add(losses.is_unread.into(), Relaxed);
        self.mended.fetch_add(losses.is_mended.into(), Relaxed);
        self.skipped_events.fetch_add(losses.skipped, Relaxed);
        self.hook_panics.fetch_add(losses.hook_panics, Relaxed);
    }

    pub(crate) fn settle(&self, settlement: Settlement) {
        let counter = match settlement {
            Settlement::Delivered => Some(&self.delivered),
            Settlement::Rejected => Some(&self.rejected),
            Settlement::Dropped(reason) => self.dropped.get(reason as usize),
            Settlement::Withheld(reason) => self.withheld.get(reason as usize),
            Settlement::Spooled => Some(&self.spooled_total),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, SeqCst);
        }
    }

    /// Reads each stage before the next one: the reports loaded from disk, then the pending ones,
    /// then the settled ones and those on disk. No interaction is therefore missed. One that moves
    /// meanwhile is counted in both stages. `captured` is read last, so the excess over it shows
    /// how many moved; those are no longer pending.
    pub(crate) fn snapshot(&self, pending: impl FnOnce() -> u64) -> Stats {
        let unspooled_total = self.unspooled_total.load(SeqCst);
        let pending = pending();
        let mut stats = Stats {
            delivered: self.delivered.load(SeqCst),
            rejected: self.rejected.load(SeqCst),
            retried: self.retried.load(Relaxed),
            truncated: self.truncated.load(Relaxed),
            undecodable: self.undecodable.load(Relaxed),
            unread: self.unread.load(Relaxed),
            mended: self.mended.load(Relaxed),
            skipped_events: self.skipped_events.load(Relaxed),
            hook_panics: self.hook_panics.load(Relaxed),
            sending: self.sending.load(Relaxed),
            last_failure: class_of(self.last_failure.load(Relaxed)),
            dropped: self.dropped.each_ref().map(|counter| counter.load(SeqCst)),
            withheld: self.withheld.each_ref().map(|counter| counter.load(SeqCst)),
            recovered: self.recovered.load(Relaxed),
            spool_failures: self.spool_failures.load(Relaxed),
            ..Stats::default()
        };
        let on_disk = self.on_disk_since(unspooled_total);
        stats.captured = self.captured.load(SeqCst);
        let unsettled = stats.captured.saturating_sub(stats.settled());
        stats.spooled = on_disk.min(unsettled);
        stats.pending = pending.min(unsettled - stats.spooled);
        // The worker updates this value once per turn; some of these reports may be settled since.
        stats.pending_on_disk = self.spooled_and_held.load(Relaxed).min(stats.pending);
        stats
    }
}

fn class_of(stored: u8) -> Option<FailureClass> {
    FailureClass::ALL.iter().copied().find(|class| *class as u8 + 1 == stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for reason in DropReason::ALL.iter().copied() {
            counters.settle(Settlement::Dropped(reason));
        }
        for reason in WithholdReason::ALL.iter().copied() {
            counters.settle(Settlement::Withheld(reason));
        }
        let stats = counters.snapshot(|| 0);
        assert!(DropReason::ALL.iter().all(|reason| stats.dropped(*reason) == 1));
        assert!(WithholdReason::ALL.iter().all(|reason| stats.withheld(*reason) == 1));
        assert_eq!(stats.settled(), 13);
    }

    #[test]
    fn what_is_settled_while_a_snapshot_is_taken_is_not_pending_too() {
        let counters = Counters::default();
        (0..3).for_each(|_| counters.capture());
        counters.settle(Settlement::Delivered);
        let stats = counters.snapshot(|| {
            // Two are pending when they are counted. One of them is settled before the settled ones
            // are counted.
            counters.settle(Settlement::Dropped(DropReason::Undelivered));
            2
        });
        assert_eq!((stats.captured, stats.settled(), stats.pending), (3, 2, 1), "{stats}");
    }

    #[test]
    fn what_goes_to_disk_while_a_snapshot_is_taken_is_counted_once() {
        let counters = Counters::default();
        counters.capture();
        let stats = counters.snapshot(|| {
            counters.settle(Settlement::Spooled);
            1
        });
        assert_eq!((stats.captured, stats.pending, stats.spooled), (1, 0, 1), "{stats}");
    }

    #[test]
    fn the_last_failure_is_kept() {
        let counters = Counters::default();
        assert_eq!(counters.snapshot(|| 0).last_failure, None);
        for class in FailureClass::ALL.iter().copied() {
            counters.fail(class);
            assert_eq!(counters.snapshot(|| 0).last_failure, Some(class));
        }
    }

    #[test]
    fn the_line_names_the_reasons_that_occurred() {
        let counters = Counters::default();
        counters.capture();
        counters.settle(Settlement::Dropped(DropReason::Shutdown));
        let line = counters.snapshot(|| 0).to_string();
        let counts = "1 captured = 0 delivered + 0 rejected + 1 dropped (shutdown 1) + 0 withheld + 0 pending + 0 spooled";
        assert_eq!(line, counts);
    }
}
