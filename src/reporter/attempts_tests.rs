//! Attempts that end in all ways, woken from anywhere.

use std::future::{pending, poll_fn};
use std::sync::atomic::AtomicUsize;

use tokio::sync::oneshot;

use super::*;

type Attempt = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// What has ended after another turn.
fn ended(attempts: &mut Attempts<Attempt>) -> Vec<(u64, Ended)> {
    let mut ended = Vec::new();
    while attempts.poll(&mut Context::from_waker(Waker::noop())).is_ready() {
        ended.extend(std::iter::from_fn(|| attempts.take_ended()));
    }
    ended
}

/// Counts that it was dropped, and panics then if it is to.
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

#[tokio::test]
async fn each_that_is_woken_from_other_threads_is_polled() {
    let mut attempts = Attempts::new();
    for round in 0..200 {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..MAX_DELIVERIES).map(|_| oneshot::channel::<()>()).unzip();
        for (receiver, job) in receivers.into_iter().zip(0..) {
            attempts.push(job, receiver);
        }
        let mut parts = senders.into_iter();
        let threads = [MAX_DELIVERIES / 2; 2].map(|part| {
            let part: Vec<_> = parts.by_ref().take(part).collect();
            std::thread::spawn(move || part.into_iter().for_each(|sender| sender.send(()).unwrap()))
        });
        let mut jobs = Vec::new();
        while attempts.len() > 0 {
            poll_fn(|cx| attempts.poll(cx)).await;
            jobs.extend(std::iter::from_fn(|| attempts.take_ended()).map(|(job, _)| job));
        }
        jobs.sort_unstable();
        assert_eq!(jobs, Vec::from_iter(0..MAX_DELIVERIES as u64), "round {round}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    assert_eq!(attempts.places.len(), MAX_DELIVERIES);
}

#[test]
fn one_that_panics_as_it_is_polled_or_dropped_ends_alone() {
    let mut attempts = Attempts::<Attempt>::new();
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
fn one_that_wakes_itself_for_ever_leaves_others_their_turn_and_ends_the_turn() {
    let mut attempts = Attempts::<Attempt>::new();
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    attempts.push(
        1,
        Box::pin(poll_fn(move |cx| {
            counted.fetch_add(1, SeqCst);
            cx.waker().wake_by_ref();
            Poll::Pending
        })),
    );
    let (sender, receiver) = oneshot::channel::<()>();
    attempts.push(2, Box::pin(async { Ok(receiver.await?) }));
    assert_eq!(ended(&mut attempts), []);
    sender.send(()).unwrap();
    assert_eq!(ended(&mut attempts), [(2, Some(Ok(())))]);
    assert!((3..=4).contains(&polls.load(SeqCst)), "one a turn");
}

#[test]
fn those_that_are_broken_off_are_dropped_whatever_they_do_then() {
    let mut attempts = Attempts::<Attempt>::new();
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
    let mut jobs = attempts.abort();
    jobs.sort_unstable();
    assert_eq!((jobs, attempts.len(), dropped.load(SeqCst)), (vec![0, 1, 2, 3, 4], 0, 5));
    attempts.push(5, Box::pin(async { Ok(()) }));
    assert_eq!(ended(&mut attempts), [(5, Some(Ok(())))]);
}
