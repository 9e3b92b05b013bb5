use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::{Ordering::Acquire, Ordering::Release};

use super::part::Part;
use crate::identity::{Attributed, Identity};
use crate::sync::{AtomicBool, AtomicCell, Mutex, MutexGuard};

/// What the two parts of an exchange share while it is under way: what is said of it meanwhile, and the place where they
/// meet as they end, in any order, on any thread.
pub(crate) struct InFlight {
    is_open: AtomicBool,
    later: Mutex<Option<Box<Later>>>,
    /// The part that has ended; of both, the last.
    ended: AtomicCell<Option<Box<Part>>>,
}

/// What is said of an exchange while it is under way.
#[derive(Debug, Default)]
pub(super) struct Later {
    /// By the scope in which it is first polled.
    around: Identity,
    /// By the application.
    said: Identity,
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self { is_open: AtomicBool::new(true), later: Mutex::new(None), ended: AtomicCell::default() }
    }

    /// Is for another exchange. Nobody refers to the one before any more, of which something may have been said too late.
    pub(super) fn open_again(&mut self) {
        self.is_open = AtomicBool::new(true);
        *self.later.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// One of its parts has ended. Returns the other if that has, too: of two threads that get here at once, to exactly one.
    #[inline(always)]
    pub(super) fn end(&self, part: Box<Part>) -> Option<Box<Part>> {
        let first = self.ended.swap(Some(part))?;
        self.is_open.store(false, Release);
        Some(first)
    }

    pub(super) fn take_ended(&self) -> Option<Box<Part>> {
        self.ended.take()
    }

    /// Takes over what is said by the scope around it.
    #[cold]
    pub(super) fn set_around(&self, around: Identity) {
        lock(&self.later).get_or_insert_default().around = around;
    }

    /// Takes out what was said.
    pub(super) fn take_later(&self) -> Later {
        lock(&self.later).take().map(|later| *later).unwrap_or_default()
    }
}

impl Later {
    /// Whose the exchange is, of which this much was known at its beginning.
    pub(super) fn complete(self, identity: Identity) -> Identity {
        let mut identity = identity.or(self.around);
        identity.change(self.said);
        identity
    }
}

impl Attributed for InFlight {
    fn change(&self, later: Identity) {
        if self.is_open() {
            lock(&self.later).get_or_insert_default().said.change(later);
        }
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Acquire)
    }
}

/// Shows nothing of the exchange.
impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::User;

    #[test]
    fn what_is_said_too_late_of_one_exchange_is_not_said_of_the_next() {
        let mut exchange = InFlight::new();
        // As by somebody who has seen that it is open just before it ended.
        exchange.set_around(User::new("another").into());
        exchange.open_again();
        assert!(exchange.take_later().complete(Identity::new()).is_empty());
    }
}
