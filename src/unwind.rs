use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that may panic: the application's, the transport's, or a call that panics on failure.
/// Returns `None` if it does.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
