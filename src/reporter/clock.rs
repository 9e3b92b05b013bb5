//! Deadlines for callers that wait for the worker. The clock needs neither a runtime nor the
//! worker, because the application's transport or log writer may block the worker's thread.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::unwind::guarded;

/// Wakes futures at a given instant. All alarms share one thread, which lives only while a future
/// waits.
#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The process that created the clock. A forked child has no copy of the thread, and its copy
    /// of the lock may stay locked for ever.
    process: u32,
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Alarms {
    pending: BTreeMap<Key, oneshot::Sender<()>>,
    next: u64,
    has_thread: bool,
}

type Key = (Instant, u64);

/// A future that resolves at its instant.
#[derive(Debug)]
pub(super) struct Alarm {
    clock: Clock,
    key: Key,
    rung: oneshot::Receiver<()>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self::of(process::id())
    }

    /// The clock of the given process: the current one, or a simulated parent in tests.
    pub(super) fn of(process: u32) -> Self {
        Self(Arc::new(Shared { process, alarms: Mutex::default(), changed: Condvar::new() }))
    }

    /// Whether this process is a forked child of the process that created the clock.
    pub(super) fn is_forked(&self) -> bool {
        self.0.process != process::id()
    }

    pub(super) fn alarm(&self, moment: Instant) -> Alarm {
        let (ring, rung) = oneshot::channel();
        let mut alarms = self.0.lock();
        let key = (moment, alarms.next);
        alarms.next += 1;
        alarms.pending.insert(key, ring);
        if alarms.has_thread {
            self.0.changed.notify_one();
        } else {
            let shared = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("reconify-clock".to_owned());
            // If the system refuses a thread, the worker's own clock has to keep the deadline.
            alarms.has_thread = thread.spawn(move || shared.run()).is_ok();
        }
        Alarm { clock: self.clone(), key, rung }
    }
}

impl Shared {
    /// No code that could panic runs under the lock, so poisoning can be ignored.
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut alarms = self.lock();
        while let Some(first) = alarms.pending.first_entry() {
            let wait = first.key().0.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                let ring = first.remove();
                drop(alarms);
                // This wakes a task of an unknown executor. A panic there must not stop the other
                // alarms.
                let _ = guarded(|| ring.send(()));
                alarms = self.lock();
            } else {
                let waited = self.changed.wait_timeout(alarms, wait);
                alarms = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        alarms.has_thread = false;
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The sender is kept until the alarm fires, so without a thread the alarm stays pending.
        match Pin::new(&mut self.rung).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.clock.is_forked() {
            return;
        }
        let mut alarms = self.clock.0.lock();
        let removed = alarms.pending.remove(&self.key);
        let is_last = removed.is_some() && alarms.pending.is_empty();
        drop(alarms);
        if is_last {
            self.clock.0.changed.notify_one();
        }
        // Dropping the sender may wake a task, and its executor may run any code: do it outside the
        // lock.
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use futures_executor::block_on;
    use futures_util::FutureExt;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn wait_for_its_end(clock: &Clock) {
        let begun = Instant::now();
        while clock.0.lock().has_thread {
            assert!(begun.elapsed() < HOUR / 60, "its thread goes on with nobody waiting");
            thread::yield_now();
        }
    }

    #[test]
    fn alarms_ring_without_a_runtime_and_the_thread_ends_after_the_last() {
        let clock = Clock::new();
        let now = Instant::now();
        let alarms =
            [3, 1, 2, 1, 0].map(|milliseconds| clock.alarm(now + Duration::from_millis(milliseconds)));
        alarms.into_iter().for_each(block_on);
        wait_for_its_end(&clock);
        block_on(clock.alarm(now));
        wait_for_its_end(&clock);
    }

    #[test]
    fn an_alarm_that_nobody_waits_for_keeps_no_thread() {
        let clock = Clock::new();
        let mut alarms = [(); 100].map(|()| clock.alarm(Instant::now() + HOUR));
        assert!(alarms.iter_mut().all(|alarm| alarm.now_or_never().is_none()));
        assert!(clock.0.lock().has_thread);
        drop(alarms);
        wait_for_its_end(&clock);
    }

    #[test]
    fn an_alarm_rings_before_those_that_were_set_earlier_for_later() {
        let clock = Clock::new();
        let later = clock.alarm(Instant::now() + HOUR);
        let (rung, rings) = channel();
        let sooner = clock.alarm(Instant::now());
        thread::spawn(move || {
            block_on(sooner);
            rung.send(()).unwrap();
        });
        rings.recv_timeout(HOUR / 60).unwrap();
        drop(later);
        wait_for_its_end(&clock);
    }

    #[test]
    fn a_waker_that_panics_stops_no_other_alarm() {
        struct Panics;

        impl std::task::Wake for Panics {
            fn wake(self: Arc<Self>) {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        }

        let clock = Clock::new();
        let now = Instant::now();
        let (mut first, second) = (clock.alarm(now + HOUR / 3_600), clock.alarm(now + HOUR / 1_800));
        let waker = Arc::new(Panics).into();
        assert!(first.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        block_on(second);
    }

    /// An executor that runs a woken task immediately may set and drop alarms from inside `wake`.
    #[test]
    fn a_waker_that_sets_an_alarm_waits_for_nobody() {
        struct Sets(Clock, Sender<()>);

        impl std::task::Wake for Sets {
            fn wake(self: Arc<Self>) {
                drop(self.0.alarm(Instant::now() + HOUR));
                self.1.send(()).unwrap();
            }
        }

        let clock = Clock::new();
        let (woken, wakes) = channel();
        let waker = Arc::new(Sets(clock.clone(), woken)).into();
        let (mut rings, mut dropped) =
            (clock.alarm(Instant::now() + HOUR / 3_600), clock.alarm(Instant::now() + HOUR));
        for alarm in [&mut rings, &mut dropped] {
            assert!(alarm.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        }
        // If the clock held its lock while it wakes a task, dropping an alarm would deadlock.
        std::mem::forget(rings);
        thread::spawn(move || drop(dropped));
        for _ in 0..2 {
            wakes.recv_timeout(HOUR / 60).expect("no lock is held");
        }
    }
}
