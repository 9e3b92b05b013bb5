use std::sync::atomic::Ordering::SeqCst;

use crate::sync::{AtomicBool, Notify};

/// Parks the worker, and wakes it if it sleeps.
#[derive(Default)]
pub(crate) struct Parker {
    asleep: AtomicBool,
    pub(crate) notify: Notify,
}

impl Parker {
    #[inline]
    pub(crate) fn unpark(&self) {
        if self.asleep.load(SeqCst) {
            self.wake();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&self) {
        if self.asleep.swap(false, SeqCst) {
            self.notify.notify_one();
        }
    }

    pub(crate) fn fall_asleep(&self) -> impl Drop + '_ {
        struct WakeUp<'a>(&'a Parker);

        impl Drop for WakeUp<'_> {
            fn drop(&mut self) {
                self.0.asleep.store(false, SeqCst);
            }
        }

        self.asleep.store(true, SeqCst);
        WakeUp(self)
    }
}
