//! Exchanges within the handling of another one.

use std::cell::Cell;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, what runs is a part of handling a captured exchange.
#[must_use]
pub(crate) struct NestingGuard {
    before: bool,
}

impl NestingGuard {
    pub(crate) fn enter() -> Self {
        Self { before: WITHIN.replace(true) }
    }
}

impl Drop for NestingGuard {
    fn drop(&mut self) {
        WITHIN.set(self.before);
    }
}

/// Whether this runs as a part of handling a captured exchange.
pub(crate) fn is_within() -> bool {
    WITHIN.get()
}
