//! The same primitives as loom models.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{self, SeqCst};
use std::task::Poll;

use loom::future::AtomicWaker;
use loom::sync::atomic::{self, fence};
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// An atomic with real `SeqCst` accesses.
///
/// Loom treats a `SeqCst` access as `AcqRel`, and orders all threads only by fences. A fence is
/// stronger than an access: if two accesses depend on each other's `SeqCst`, loom notices only when
/// both lack it.
macro_rules! model {
    ($name:ident, $value:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(atomic::$name);

        #[allow(dead_code, reason = "not every atomic is used in every way")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                ordered(order, || self.0.load(weak(order, Ordering::Acquire)))
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                match order {
                    // Loom may let a swap miss an earlier store, but not an earlier swap.
                    SeqCst => {
                        self.swap(value, order);
                    }
                    _ => self.0.store(value, order),
                }
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                ordered(order, || self.0.swap(value, weak(order, Ordering::AcqRel)))
            }
        }
    };
    ($name:ident, $value:ty, counts) => {
        model!($name, $value);

        #[allow(dead_code, reason = "not every atomic is used in every way")]
        impl $name {
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                ordered(order, || self.0.fetch_add(value, weak(order, Ordering::AcqRel)))
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                ordered(order, || self.0.fetch_sub(value, weak(order, Ordering::AcqRel)))
            }

            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.0.fetch_update(set, fetch, update)
            }
        }
    };
}

model!(AtomicBool, bool);
model!(AtomicU8, u8, counts);
model!(AtomicU64, u64, counts);
model!(AtomicUsize, usize, counts);

fn weak(order: Ordering, instead: Ordering) -> Ordering {
    if order == SeqCst { instead } else { order }
}

fn ordered<T>(order: Ordering, access: impl FnOnce() -> T) -> T {
    if order != SeqCst {
        return access();
    }
    fence(SeqCst);
    let result = access();
    fence(SeqCst);
    result
}

#[derive(Debug)]
pub(crate) struct SegQueue<T>(Mutex<VecDeque<T>>);

impl<T> SegQueue<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    pub(crate) fn push(&self, item: T) {
        self.0.lock().unwrap().push_back(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.lock().unwrap().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A value that is exchanged as a whole.
#[derive(Debug, Default)]
pub(crate) struct AtomicCell<T>(Mutex<T>);

impl<T: Default> AtomicCell<T> {
    pub(crate) fn swap(&self, value: T) -> T {
        std::mem::replace(&mut *self.0.lock().unwrap(), value)
    }

    pub(crate) fn take(&self) -> T {
        self.swap(T::default())
    }
}

/// A queue with a capacity.
#[derive(Debug)]
pub(crate) struct ArrayQueue<T>(SegQueue<T>, usize);

impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(SegQueue::new(), capacity)
    }

    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.0.0.lock().unwrap();
        if items.len() == self.1 {
            return Err(item);
        }
        items.push_back(item);
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// For one waiter: a permit stays until it is taken.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    permit: atomic::AtomicBool,
    waiting: AtomicWaker,
}

impl Notify {
    pub(crate) fn notify_one(&self) {
        self.permit.swap(true, Ordering::AcqRel);
        self.waiting.wake();
    }

    pub(crate) async fn notified(&self) {
        std::future::poll_fn(|cx| {
            self.waiting.register_by_ref(cx.waker());
            match self.permit.swap(false, Ordering::AcqRel) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}
