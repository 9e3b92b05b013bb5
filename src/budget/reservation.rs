use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use super::Budget;
use crate::stats::{DropReason, Settlement};

/// What a report may have more than the bodies that it was made from: an envelope with all fields of a user has less,
/// unless they, or tags, are longer than any name.
pub(super) const ENVELOPE: usize = 4 * 1024;

/// The place of one interaction and the bytes charged for it, as long as nobody can lose it: what has become of it is not seen
/// when it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    pub(super) bytes: usize,
}

impl Permit {
    /// Whoever has it from now on may lose it. It has been counted as [ended](Budget::end).
    pub(crate) fn admit(self, budget: &Arc<Budget>) -> Reservation {
        Reservation { budget: Arc::clone(budget), bytes: self.bytes, settlement: None }
    }
}

/// The place of one interaction, and the bytes charged for it. It settles exactly once, when it is dropped: as told
/// before, or as lost on the way.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
    settlement: Option<Settlement>,
}

impl Reservation {
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes over bytes that were charged to the budget already.
    pub(crate) fn adopt(&mut self, charged: usize) {
        self.bytes += charged;
    }

    /// Corrects the charge to what is held now, in so many reports, if there is room. A report is always a little larger
    /// than what it was made from, by its envelope: that much is granted, or a full budget could never be emptied.
    pub(crate) fn resize(&mut self, held: usize, reports: usize) -> bool {
        let growth = held.saturating_sub(self.bytes);
        if growth <= ENVELOPE * reports {
            self.budget.bytes.fetch_add(growth, Relaxed);
        } else if !self.budget.charge(growth) {
            return false;
        }
        self.budget.release(self.bytes.saturating_sub(held));
        self.bytes = held;
        true
    }

    pub(crate) fn settle(mut self, settlement: Settlement) {
        self.settlement = Some(settlement);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let lost = || match std::thread::panicking() {
            true => Settlement::Dropped(DropReason::Panicked),
            false => Settlement::Dropped(DropReason::Shutdown),
        };
        // What is settled holds nothing.
        self.budget.release(self.bytes);
        // Counted before the place is free, so that nothing is ever neither settled nor pending.
        self.budget.counters.settle(self.settlement.unwrap_or_else(lost));
        self.budget.ended.fetch_sub(1, Relaxed);
        self.budget.items.fetch_sub(1, SeqCst);
    }
}
