//! Detects calls made while another captured exchange is handled.

use std::cell::Cell;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, the current thread handles a captured exchange.
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

/// Whether the current thread handles a captured exchange.
pub(crate) fn is_within() -> bool {
    WITHIN.get()
}
