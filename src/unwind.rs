use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that may panic: the application's, the transport's, or a call that panics on failure.
/// Returns `None` if it does.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let drop_payload = |payload| {
        // Dropping it may panic too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(forget);
    };
    catch_unwind(AssertUnwindSafe(work)).map_err(drop_payload).ok()
}

#[cfg(test)]
mod tests {
    use std::panic::{panic_any, resume_unwind};
    use std::sync::Arc;

    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("a panic in a drop"));
        }
    }

    #[test]
    fn no_panic_passes_even_if_its_payload_panics_as_it_is_dropped() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| panic_any(Bomb)), None::<()>);
    }

    #[test]
    fn the_payload_of_a_panic_is_freed() {
        let payload = Arc::new(());
        let clone = Arc::clone(&payload);
        assert_eq!(guarded(|| panic_any(clone)), None::<()>);
        assert_eq!(Arc::strong_count(&payload), 1);
    }
}
