//! Exchanges within the handling of another one.

tokio::task_local! {
    static WITHIN: ();
}

/// Runs a function as a part of handling a captured exchange.
pub(crate) fn within<T>(is_noted: bool, function: impl FnOnce() -> T) -> T {
    if is_noted { WITHIN.sync_scope((), function) } else { function() }
}

/// Whether this runs as a part of handling a captured exchange.
pub(super) fn is_within() -> bool {
    WITHIN.try_with(|()| ()).is_ok()
}
