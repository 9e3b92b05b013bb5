//! Primitives shared between threads. Under `--cfg reconify_loom`, tests use models of them, and
//! loom explores every interleaving of the threads (`src/loom_tests/`). Otherwise they come from
//! the standard library, crossbeam and Tokio.

#[cfg(all(test, reconify_loom))]
mod model;

#[cfg(all(test, reconify_loom))]
pub(crate) use self::model::{
    ArrayQueue, AtomicBool, AtomicCell, AtomicU8, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, SegQueue,
};

#[cfg(not(all(test, reconify_loom)))]
pub(crate) use self::real::{
    ArrayQueue, AtomicBool, AtomicCell, AtomicU8, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, SegQueue,
};

#[cfg(not(all(test, reconify_loom)))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Mutex, MutexGuard};

    pub(crate) use crossbeam_queue::{ArrayQueue, SegQueue};
    pub(crate) use crossbeam_utils::atomic::AtomicCell;
    pub(crate) use tokio::sync::Notify;
}
