//! The budget of items and bytes that all interactions share.

mod blocks;
mod reservation;

use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use bytes::BytesMut;

use self::blocks::Blocks;
pub(crate) use self::blocks::{FIRST_BLOCK, LARGEST_BLOCK};
pub(crate) use self::reservation::{Permit, Reservation};
use uuid::Uuid;

use crate::config::Limits;
use crate::id::new_id;
use crate::stats::{Counters, DropReason, Settlement, Stats, WithholdReason};
use crate::sync::{AtomicBool, AtomicUsize};

/// Bodies up to this size may fill the budget.
pub(crate) const SMALL_BODY: usize = 64 * 1024;

/// Those up to this size may fill three quarters of it, larger ones half.
pub(crate) const MIDDLING_BODY: usize = 1024 * 1024;

/// The limits, and what is held.
#[derive(Debug)]
pub(crate) struct Budget {
    /// A random id, by which a reader of reports tells reporters apart.
    id: Uuid,
    limits: Limits,
    /// Interactions that are admitted and not settled.
    items: AtomicUsize,
    /// Those among them that have ended. The limit applies to these only: an open exchange takes no
    /// place from others.
    ended: AtomicUsize,
    bytes: AtomicUsize,
    closed: AtomicBool,
    counters: Counters,
    blocks: Blocks,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            id: new_id(),
            limits,
            items: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            counters: Counters::default(),
            blocks: Blocks::new(limits.bytes),
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Counts an interaction as captured, and takes room for it and this many bytes. Without room
    /// it is dropped at once.
    pub(crate) fn acquire(&self, bytes: usize) -> Option<Permit> {
        self.counters.capture();
        let reason = if self.is_closed() {
            DropReason::Shutdown
        } else if self.ended.load(Relaxed) >= self.limits.items {
            // There may be room when it ends, but recording it would probably be in vain.
            DropReason::TooManyItems
        } else if self.charge(bytes) {
            self.items.fetch_add(1, SeqCst);
            return Some(Permit { bytes });
        } else {
            DropReason::TooManyBytes
        };
        self.counters.settle(Settlement::Dropped(reason));
        None
    }

    /// Counts an open interaction as ended. Returns whether there is room for it; if not, the
    /// caller drops it.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        self.ended.fetch_add(1, Relaxed) < self.limits.items
    }

    /// Takes room for an interaction that is complete already.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Reservation> {
        let permit = self.acquire(0)?;
        let has_room = self.end();
        let reservation = permit.admit(self);
        if has_room {
            return Some(reservation);
        }
        reservation.settle(Settlement::Dropped(DropReason::TooManyItems));
        None
    }

    /// Takes room for an interaction that comes back from disk, even beyond the limits: only one
    /// segment is loaded at a time, and the caller checks the room before.
    pub(crate) fn resume(self: &Arc<Self>, is_foreign: bool, bytes: usize) -> Reservation {
        self.items.fetch_add(1, SeqCst);
        self.ended.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.counters.resume(is_foreign);
        Permit { bytes }.admit(self)
    }

    /// Counts spooled interactions that cannot be read again.
    pub(crate) fn lose_on_disk(&self, interactions: u64) {
        for _ in 0..interactions {
            self.counters.settle(Settlement::Dropped(DropReason::Unreadable));
            self.counters.resume(false);
        }
    }

    /// Whether more than half of the budget is taken.
    pub(crate) fn is_half_full(&self) -> bool {
        self.ended.load(Relaxed) > self.limits.items / 2 || self.bytes.load(Relaxed) > self.limits.bytes / 2
    }

    /// Counts an interaction that is not recorded.
    pub(crate) fn withhold(&self, reason: WithholdReason) {
        self.counters.capture();
        self.counters.settle(Settlement::Withheld(reason));
    }

    /// Takes room for bytes, if there is enough.
    #[inline]
    pub(crate) fn charge(&self, bytes: usize) -> bool {
        self.charge_within(bytes, self.limits.bytes)
    }

    /// Takes room for more bytes of a body that then has `size` bytes. Large bodies leave room for
    /// small ones: a few large bodies that never end would otherwise keep all other exchanges from
    /// being reported.
    pub(crate) fn charge_body(&self, bytes: usize, size: usize) -> bool {
        let Limits { bytes: all, .. } = self.limits;
        let share = match size {
            size if size <= SMALL_BODY => all,
            size if size <= MIDDLING_BODY => all - all / 4,
            _ => all / 2,
        };
        self.charge_within(bytes, share)
    }

    fn charge_within(&self, bytes: usize, limit: usize) -> bool {
        let within = |held: usize| held.checked_add(bytes).filter(|held| *held <= limit);
        self.bytes.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    /// Releases room taken with [`charge`](Self::charge).
    pub(crate) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// The most bytes that are kept of one body.
    pub(crate) fn body_limit(&self) -> usize {
        self.limits.body_bytes
    }

    /// The most bytes that may be held at once.
    pub(crate) fn most_bytes(&self) -> usize {
        self.limits.bytes
    }

    /// Interactions that are admitted and not settled, including open ones.
    pub(crate) fn items(&self) -> usize {
        self.items.load(SeqCst)
    }

    /// Exchanges that are open.
    pub(crate) fn exchanges_open(&self) -> usize {
        let ended = self.ended.load(Relaxed);
        self.items().saturating_sub(ended)
    }

    /// Closes the budget: interactions that ask for a permit from now on are dropped.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.blocks.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Returns memory for this many bytes of a body. It is not charged yet.
    pub(crate) fn take_block(&self, size: usize) -> BytesMut {
        self.blocks.take(size)
    }

    /// Takes a block back, and frees it unless it can be reused.
    pub(crate) fn give_back(&self, block: BytesMut) {
        self.blocks.give_back(block);
        // Either this thread sees that the budget is closed, or the thread that closes it sees this
        // block.
        if self.is_closed() {
            self.blocks.clear();
        }
    }

    #[cfg(test)]
    pub(crate) fn spare_bytes(&self) -> usize {
        self.blocks.bytes()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.snapshot(|| self.items() as u64);
        // Read last: an interaction that is shown as settled has released its bytes before.
        stats.bytes_held = self.bytes.load(Relaxed) as u64;
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::reservation::ENVELOPE;
    use super::*;

    fn budget(items: usize, bytes: usize) -> Arc<Budget> {
        Arc::new(Budget::new(Limits { items, bytes, body_bytes: bytes }))
    }

    #[test]
    fn beyond_the_items_the_newest_is_dropped_and_counted() {
        let budget = budget(1, 1);
        let first = budget.admit().unwrap();
        assert!(budget.admit().is_none());
        first.settle(Settlement::Delivered);
        assert!(budget.admit().is_some());
        let stats = budget.stats();
        assert_eq!((stats.captured, stats.delivered, stats.dropped(DropReason::TooManyItems)), (3, 1, 1));
        assert_eq!(stats.captured, stats.settled());
    }

    #[test]
    fn bytes_are_charged_up_to_the_limit_and_given_back() {
        let budget = budget(2, 10);
        let mut reservation = budget.admit().unwrap();
        assert!(budget.charge(10) && !budget.charge(1));
        reservation.adopt(10);
        assert!(reservation.resize(4, 1));
        assert_eq!(budget.stats().bytes_held, 4);
        assert!(reservation.resize(4 + ENVELOPE, 1), "an envelope is granted");
        assert!(!reservation.resize(5 + 2 * ENVELOPE, 1), "what a body grew by when it was decoded is not");
        assert_eq!(budget.stats().bytes_held, 4 + ENVELOPE as u64);
        drop(reservation);
        assert_eq!(budget.stats().bytes_held, 0);
    }

    #[test]
    fn what_is_dropped_on_the_way_is_counted_as_dropped() {
        let budget = budget(3, 1);
        drop(budget.admit());
        let reservation = budget.admit();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = reservation;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let stats = budget.stats();
        assert_eq!((stats.dropped(DropReason::Shutdown), stats.dropped(DropReason::Panicked)), (1, 1));
        assert_eq!(stats.pending, 0);
    }

    #[test]
    fn blocks_are_kept_until_the_budget_is_closed_and_other_memory_is_not() {
        let budget = budget(1, 1);
        for size in [1, FIRST_BLOCK - 1, FIRST_BLOCK + 1, 3 * FIRST_BLOCK, 2 * LARGEST_BLOCK] {
            budget.give_back(BytesMut::with_capacity(size));
        }
        assert_eq!(budget.spare_bytes(), 0);
        for size in [FIRST_BLOCK, 2 * FIRST_BLOCK, LARGEST_BLOCK] {
            let mut block = budget.take_block(size);
            let address = block.as_ptr();
            block.extend_from_slice(b"a secret");
            budget.give_back(block);
            assert_eq!(budget.spare_bytes(), size);
            let block = budget.take_block(size);
            assert_eq!((block.as_ptr(), block.len(), block.capacity()), (address, 0, size));
        }
        budget.give_back(BytesMut::with_capacity(FIRST_BLOCK));
        budget.close();
        assert_eq!(budget.spare_bytes(), 0);
        budget.give_back(BytesMut::with_capacity(FIRST_BLOCK));
        assert_eq!(budget.spare_bytes(), 0);
    }

    #[test]
    fn of_blocks_that_nobody_needs_as_much_is_kept_as_may_be_held_and_four_megabytes_at_most() {
        for (bytes, kept) in [(1_000_000, 500_000..1_000_000), (1 << 30, 3_900_000..4_000_000)] {
            let budget = budget(1, bytes);
            for doublings in (0..10).cycle().take(1_000) {
                budget.give_back(BytesMut::with_capacity(FIRST_BLOCK << doublings));
            }
            assert!(kept.contains(&budget.spare_bytes()), "{}", budget.spare_bytes());
        }
    }

    #[test]
    fn a_closed_budget_admits_nothing() {
        let budget = budget(1, 1);
        budget.close();
        assert!(budget.admit().is_none());
        assert_eq!(budget.stats().dropped(DropReason::Shutdown), 1);
    }
}
