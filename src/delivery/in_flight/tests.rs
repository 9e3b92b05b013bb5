//! Attempts that end in every possible way.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::*;

type Attempt = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// The attempts that have finished by now.
fn ended(attempts: &mut InFlight<Attempt>) -> Vec<(u64, Ended)> {
    let mut ended = Vec::new();
    while let Some(next) = attempts.next_ended().now_or_never().unwrap() {
        ended.push(next);
    }
    ended
}

/// Counts that it was dropped, and panics if it is set to.
struct Dropped(Arc<AtomicUsize>, bool);

impl Dropped {
    fn is_bad(&self) -> bool {
        self.1
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        assert!(!self.1, "on purpose");
    }
}

#[test]
fn one_that_panics_as_it_is_polled_or_dropped_ends_alone() {
    let mut attempts = InFlight::<Attempt>::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let [bad, good] = [true, false].map(|is_bad| Dropped(Arc::clone(&dropped), is_bad));
    attempts.push(1, Box::pin(async { panic!("on purpose") }));
    attempts.push(
        2,
        Box::pin(poll_fn(move |_| panic!("on purpose, and again as it is dropped: {}", bad.is_bad()))),
    );
    let held = Dropped(Arc::clone(&dropped), true);
    attempts.push(
        3,
        Box::pin(poll_fn(move |_| {
            let _ = &held;
            Poll::Ready(Ok(()))
        })),
    );
    attempts.push(
        4,
        Box::pin(async move {
            drop(good);
            Err(DeliveryError::rejected().into())
        }),
    );
    let all = [(1, None), (2, None), (3, None), (4, Some(Err(DeliveryError::rejected())))];
    assert_eq!(ended(&mut attempts), all);
    assert_eq!((attempts.len(), dropped.load(SeqCst)), (0, 3));
}

#[test]
fn one_that_wakes_itself_for_ever_leaves_others_their_turn_and_ends_its_own() {
    let mut attempts = InFlight::<Attempt>::new();
    attempts.push(
        1,
        Box::pin(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })),
    );
    let (sender, receiver) = oneshot::channel::<()>();
    attempts.push(2, Box::pin(async { Ok(receiver.await?) }));
    assert_eq!(ended(&mut attempts), []);
    sender.send(()).unwrap();
    assert_eq!(ended(&mut attempts), [(2, Some(Ok(())))]);
}

#[test]
fn those_that_were_never_polled_need_not_begin() {
    let mut attempts = InFlight::<Attempt>::new();
    attempts.push(1, Box::pin(pending()));
    assert_eq!(ended(&mut attempts), []);
    attempts.push(2, Box::pin(async { panic!("it begins") }));
    attempts.begin_no_more();
    assert_eq!(ended(&mut attempts), []);
    assert_eq!(attempts.len(), 2);
    let mut jobs = attempts.abort();
    jobs.sort_unstable();
    assert_eq!(jobs, [1, 2]);
}

#[test]
fn those_that_are_broken_off_are_dropped_whatever_they_do_then() {
    let mut attempts = InFlight::<Attempt>::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    for job in 0..5 {
        let held = Dropped(Arc::clone(&dropped), job == 2);
        attempts.push(
            job,
            Box::pin(async move {
                let _held = held;
                if job == 4 { Ok(()) } else { pending().await }
            }),
        );
    }
    assert_eq!(ended(&mut attempts), [(4, Some(Ok(())))]);
    let mut jobs = attempts.abort();
    jobs.sort_unstable();
    assert_eq!((jobs, attempts.len(), dropped.load(SeqCst)), (vec![0, 1, 2, 3], 0, 5));
    attempts.push(5, Box::pin(async { Ok(()) }));
    assert_eq!(ended(&mut attempts), [(5, Some(Ok(())))]);
}
