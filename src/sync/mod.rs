//! What threads share. Under `--cfg reconify_loom` tests get models of it, with which loom goes through every order in
//! which threads can meet (`src/loom_tests/`); else it is what the standard library, crossbeam and Tokio have.

#[cfg(all(test, reconify_loom))]
mod model;

#[cfg(all(test, reconify_loom))]
pub(crate) use self::model::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, OnceLock, SegQueue, into_inner,
};

#[cfg(not(all(test, reconify_loom)))]
pub(crate) use self::real::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, OnceLock, SegQueue, into_inner,
};

#[cfg(not(all(test, reconify_loom)))]
mod real {
    use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

    pub(crate) use crossbeam_queue::SegQueue;
    pub(crate) use tokio::sync::Notify;

    /// Of all that hold it, the last gets it.
    #[inline]
    pub(crate) fn into_inner<T>(shared: Arc<T>) -> Option<T> {
        Arc::into_inner(shared)
    }
}
