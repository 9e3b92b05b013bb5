use std::mem;
use std::sync::atomic::{Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, PoisonError};

use crate::budget::{Budget, Reservation};
use crate::identity::{Attributed, Identity};
use crate::sync::{AtomicBool, AtomicCell, Mutex, MutexGuard};

/// The state that both halves of an open exchange share: identity updates, and the place where the
/// halves meet as they end, in any order, on any thread.
pub(crate) struct Rendezvous<H> {
    is_open: AtomicBool,
    late: Mutex<Option<Box<LateIdentity>>>,
    /// The half that has ended. Once both have ended, the one that ended last.
    pub(super) ended: AtomicCell<Option<Box<H>>>,
    budget: Arc<Budget>,
}

/// The identity that arrives while an exchange is open.
pub(crate) struct LateIdentity {
    /// From the scope in which the call is first polled.
    from_scope: Identity,
    /// From the application, through its `IdentitySlot`.
    from_slot: Identity,
    /// Whether the budget had room for all updates.
    has_room: bool,
    budget: Arc<Budget>,
    charged: usize,
}

impl<H> Rendezvous<H> {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            is_open: AtomicBool::new(true),
            late: Mutex::new(None),
            ended: AtomicCell::default(),
            budget: Arc::clone(budget),
        }
    }

    /// Resets for reuse. No slot refers to the previous exchange any more; late identity updates
    /// for it are discarded.
    pub(crate) fn reset(&mut self) {
        self.is_open = AtomicBool::new(true);
        *self.late.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stores a half that has ended, and returns the other half if it ended before. If both end at
    /// once, exactly one of the two calls returns a half.
    #[inline(always)]
    pub(crate) fn meet(&self, half: Box<H>) -> Option<Box<H>> {
        let first = self.ended.swap(Some(half))?;
        self.is_open.store(false, Release);
        Some(first)
    }

    /// Records the identity of the surrounding scope.
    #[cold]
    pub(crate) fn set_scope_identity(&self, identity: Identity) {
        self.update(|late| late.from_scope = identity);
    }

    fn update(&self, change: impl FnOnce(&mut LateIdentity)) {
        let mut late = lock(&self.late);
        let late = late.get_or_insert_with(|| LateIdentity::new(Arc::clone(&self.budget)).into());
        change(late);
        late.charge();
    }

    /// Takes the late identity, if there is any.
    pub(crate) fn take_late_identity(&self) -> Option<Box<LateIdentity>> {
        lock(&self.late).take()
    }
}

impl LateIdentity {
    fn new(budget: Arc<Budget>) -> Self {
        let (from_scope, from_slot) = Default::default();
        Self { from_scope, from_slot, has_room: true, budget, charged: 0 }
    }

    /// Charges the budget for all updates. Without room all of them are discarded, and the exchange
    /// is not reported: its identity would be wrong. An opt-out is kept.
    fn charge(&mut self) {
        let bytes = self.from_scope.bytes() + self.from_slot.bytes();
        self.has_room = self.has_room && self.budget.charge(bytes.saturating_sub(self.charged));
        if self.has_room {
            self.budget.release(self.charged.saturating_sub(bytes));
            self.charged = bytes;
        } else {
            let opt_out = self.from_slot.opt_out.max(self.from_scope.opt_out);
            (self.from_scope, self.from_slot) = (Identity::new(), Identity { opt_out, ..Identity::new() });
            self.budget.release(mem::take(&mut self.charged));
        }
    }

    /// Completes the identity known at the beginning, and returns whether there was room for it.
    /// The reservation takes over the charge.
    pub(crate) fn complete(mut self, identity: Identity, reservation: &mut Reservation) -> (Identity, bool) {
        reservation.adopt(mem::take(&mut self.charged));
        let mut identity = identity.fill_from(mem::take(&mut self.from_scope));
        identity.overlay(mem::take(&mut self.from_slot));
        (identity, self.has_room)
    }
}

/// Releases the charge for updates that were never taken.
impl Drop for LateIdentity {
    fn drop(&mut self) {
        self.budget.release(self.charged);
    }
}

impl<H: Send> Attributed for Rendezvous<H> {
    fn overlay(&self, late: Identity) {
        if self.is_open() {
            self.update(|all| all.from_slot.overlay(late));
        }
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Acquire)
    }
}

#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::identity::{Session, User};

    fn budget(bytes: usize) -> Arc<Budget> {
        Arc::new(Budget::new(Limits { items: 1, bytes, body_bytes: bytes }))
    }

    #[test]
    fn what_is_said_too_late_of_one_exchange_is_not_said_of_the_next() {
        let budget = budget(100);
        let mut exchange = Rendezvous::<()>::new(&budget);
        // As a thread does that saw the exchange open just before it ended.
        exchange.set_scope_identity(User::new("another").into());
        assert_eq!(budget.stats().bytes_held, 7);
        exchange.reset();
        assert!(exchange.take_late_identity().is_none());
        assert_eq!(budget.stats().bytes_held, 0);
    }

    #[test]
    fn what_is_said_is_charged_by_its_length_as_long_as_it_is_held() {
        let budget = budget(100);
        let exchange = Rendezvous::<()>::new(&budget);
        exchange.set_scope_identity(User::new("u".repeat(50)).into());
        exchange.overlay(Session::new("s".repeat(30)).into());
        assert_eq!(budget.stats().bytes_held, 80);
        exchange.overlay(Session::new("s").into());
        assert_eq!(budget.stats().bytes_held, 51);
        let mut reservation = budget.admit().unwrap();
        let (identity, has_room) =
            exchange.take_late_identity().unwrap().complete(Identity::new(), &mut reservation);
        assert!(has_room && identity.session() == Some(&Session::new("s")));
        assert_eq!(budget.stats().bytes_held, 51);
        drop(reservation);
        assert_eq!(budget.stats().bytes_held, 0);
    }

    #[test]
    fn an_identity_that_finds_no_room_is_not_kept_in_part() {
        let budget = budget(100);
        let exchange = Rendezvous::<()>::new(&budget);
        exchange.overlay(Identity::from(User::new("u")).omit_content());
        exchange.overlay(Session::new("s".repeat(200)).into());
        exchange.overlay(Session::new("t").into());
        assert_eq!(budget.stats().bytes_held, 0);
        let mut reservation = budget.admit().unwrap();
        let (identity, has_room) =
            exchange.take_late_identity().unwrap().complete(Identity::new(), &mut reservation);
        assert!(!has_room);
        assert_eq!(identity, Identity::new().omit_content(), "what is to be left out is known still");
    }
}
