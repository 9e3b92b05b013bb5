use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use super::Budget;
use crate::stats::{DropReason, Settlement};

/// By how much a report may exceed the bodies it was made from. An envelope with all fields of a
/// user is smaller, unless the user or the tags are unusually long.
pub(super) const ENVELOPE: usize = 4 * 1024;

/// Room in the budget for one open interaction. Dropping it settles nothing, so it must be [turned
/// into a reservation](Self::admit).
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    pub(super) bytes: usize,
}

impl Permit {
    /// Turns it into a reservation, which settles when dropped. The interaction has been counted as
    /// [ended](Budget::end).
    pub(crate) fn admit(self, budget: &Arc<Budget>) -> Reservation {
        Reservation { budget: Arc::clone(budget), bytes: self.bytes, settlement: None }
    }
}

/// Room in the budget for one interaction, and the bytes charged for it. It settles exactly once,
/// when dropped: as set before, or as lost on the way.
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

    /// Adjusts the charge to the `held` bytes of this many reports, if there is room. A report is a
    /// little larger than the bodies it was made from, by its envelope. That much is always
    /// granted: otherwise a full budget could never be emptied.
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
        // Released first: a settled interaction holds nothing.
        self.budget.release(self.bytes);
        // Counted before the room is free, so that every interaction is settled or pending at any
        // time.
        self.budget.counters.settle(self.settlement.unwrap_or_else(lost));
        self.budget.ended.fetch_sub(1, Relaxed);
        self.budget.items.fetch_sub(1, SeqCst);
    }
}
