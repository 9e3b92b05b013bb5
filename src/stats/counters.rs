use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use super::Stats;
use super::reasons::{DropReason, FailureClass, Losses, Settlement, WithholdReason};
use crate::sync::{AtomicU8, AtomicU64};

/// The counters behind [`Stats`]. An interaction is counted as captured before anything else happens to it.
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
    in_flight: AtomicU64,
    /// Reports that came to be on disk and not in memory, and those among them that no longer are. Two counters that only
    /// grow: of what comes and goes while a snapshot is taken, one could show none.
    spooled_total: AtomicU64,
    unspooled_total: AtomicU64,
    /// Reports that are on disk and in memory.
    spooled_and_held: AtomicU64,
    recovered: AtomicU64,
    spool_failures: AtomicU64,
    /// The [`FailureClass`] of the last failure and one; zero before the first.
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

    /// How many reports are on disk and not in memory.
    pub(crate) fn on_disk(&self) -> u64 {
        self.on_disk_since(self.unspooled_total.load(SeqCst))
    }

    /// At least as many as rested at any moment since so many had been taken up.
    fn on_disk_since(&self, unspooled_total: u64) -> u64 {
        self.spooled_total.load(SeqCst).saturating_sub(unspooled_total)
    }

    /// Says how many attempts are under way.
    pub(crate) fn set_in_flight(&self, attempts: usize) {
        self.in_flight.store(attempts as u64, Relaxed);
    }

    /// Takes an interaction that rested on disk for one that comes back. A foreign one is new here.
    pub(crate) fn resume(&self, is_foreign: bool) {
        if is_foreign {
            self.captured.fetch_add(1, SeqCst);
            self.recovered.fetch_add(1, Relaxed);
        } else {
            self.unspooled_total.fetch_add(1, SeqCst);
        }
    }

    /// Says how many reports are both in memory and on disk.
    pub(crate) fn set_spooled_and_held(&self, reports: usize) {
        self.spooled_and_held.store(reports as u64, Relaxed);
    }

    pub(crate) fn fail_to_spool(&self) {
        self.spool_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn fail(&self, class: FailureClass) {
        self.last_failure.store(class as u8 + 1, Relaxed);
    }

    /// Counts what is missing in one report.
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

    /// Reads what leaves a place before what comes to it: what was taken up from disk before what is pending, that before what
    /// is settled or on disk. So nothing is ever in no place. An interaction that moves meanwhile is read in both places: as
    /// what was captured is read last, it shows how many did, and they are pending no more.
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
            in_flight: self.in_flight.load(Relaxed),
            last_failure: class_of(self.last_failure.load(Relaxed)),
            dropped: self.dropped.each_ref().map(|counter| counter.load(SeqCst)),
            withheld: self.withheld.each_ref().map(|counter| counter.load(SeqCst)),
            recovered: self.recovered.load(Relaxed),
            spool_failures: self.spool_failures.load(Relaxed),
            ..Stats::default()
        };
        let resting = self.on_disk_since(unspooled_total);
        let safe = self.spooled_and_held.load(Relaxed);
        // The worker says so once in a turn: some may have been delivered since.
        let spooled = resting + safe.min(pending);
        stats.captured = self.captured.load(SeqCst);
        stats.pending = (pending + resting).min(stats.captured.saturating_sub(stats.settled()));
        stats.spooled = spooled.min(stats.pending);
        stats
    }
}

const CLASSES: [FailureClass; 4] =
    [FailureClass::Unavailable, FailureClass::Rejected, FailureClass::Unauthorized, FailureClass::Unsendable];

fn class_of(stored: u8) -> Option<FailureClass> {
    CLASSES.into_iter().find(|class| *class as u8 + 1 == stored)
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
            // Two are pending as they are counted, and one of them no longer when the settled ones are.
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
        assert_eq!((stats.captured, stats.pending, stats.spooled), (1, 1, 1), "{stats}");
    }

    #[test]
    fn the_last_failure_is_kept() {
        let counters = Counters::default();
        assert_eq!(counters.snapshot(|| 0).last_failure, None);
        for class in CLASSES {
            counters.fail(class);
            assert_eq!(counters.snapshot(|| 0).last_failure, Some(class));
        }
    }

    #[test]
    fn the_line_names_the_reasons_that_occurred() {
        let counters = Counters::default();
        counters.capture();
        counters.settle(Settlement::Dropped(DropReason::Shutdown));
        assert_eq!(
            counters.snapshot(|| 0).to_string(),
            "1 captured = 0 delivered + 0 rejected + 1 dropped (Shutdown 1) + 0 withheld + 0 pending"
        );
    }
}
