use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that may panic: the application's, the transport's, or a call that panics on failure.
/// Returns `None` if it does. The payload of the panic is leaked, because it may panic too when it
/// is dropped.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(std::mem::forget).ok()
}
