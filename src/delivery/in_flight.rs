//! Delivery attempts in flight. The worker polls them itself: a runtime task for each, with its
//! spawning, scheduling and joining, would cost half as much as making the report.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::BoxError;

use crate::transport::DeliveryError;
use crate::unwind::guarded;

/// The result of an attempt; `None` if it panicked.
pub(crate) type Ended = Option<Result<(), DeliveryError>>;

/// The transport's futures, each with the id of its job.
pub(crate) struct InFlight<F>(FuturesUnordered<Attempt<F>>);

pin_project! {
    /// A future of the transport. It may panic when it is polled, when its error is converted, or
    /// when it is dropped; none of these panics may end the worker.
    struct Attempt<F> {
        job: u64,
        since: Instant,
        is_begun: bool,
        // `None` once it has ended, or if it may no longer start.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Attempt<F> {
        fn drop(this: Pin<&mut Self>) {
            this.clear();
        }
    }
}

impl<F, T, E> InFlight<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    pub(crate) fn new() -> Self {
        Self(FuturesUnordered::new())
    }

    /// The number of attempts in flight.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, job: u64, future: F) {
        self.0.push(Attempt { job, since: Instant::now(), is_begun: false, future: Some(future) });
    }

    /// When each attempt began.
    pub(crate) fn starts(&mut self) -> impl Iterator<Item = Instant> {
        Pin::new(&mut self.0).iter_pin_mut().map(|attempt| attempt.since)
    }

    /// Waits for the next attempt to finish and returns it with its job; `None` if there are no
    /// attempts.
    ///
    /// # Cancel safety
    ///
    /// No results are lost.
    pub(crate) async fn next(&mut self) -> Option<(u64, Ended)> {
        self.0.next().await
    }

    /// Returns an attempt that has already finished, if there is one.
    pub(crate) async fn next_ended(&mut self) -> Option<(u64, Ended)> {
        match poll_fn(|cx| Poll::Ready(self.0.poll_next_unpin(cx))).await {
            Poll::Ready(ended) => ended,
            Poll::Pending => None,
        }
    }

    /// Drops the attempts that were never polled: nothing of them has been sent.
    pub(crate) fn begin_no_more(&mut self) {
        for attempt in Pin::new(&mut self.0).iter_pin_mut().filter(|attempt| !attempt.is_begun) {
            attempt.clear();
        }
    }

    /// Aborts all attempts. Returns their jobs.
    pub(crate) fn abort(&mut self) -> Vec<u64> {
        let jobs = Pin::new(&mut self.0).iter_pin_mut().map(|attempt| attempt.job).collect();
        self.0.clear();
        jobs
    }
}

impl<F> Attempt<F> {
    /// Returns `None` if the future panicked while it was dropped.
    fn clear(self: Pin<&mut Self>) -> Option<()> {
        let mut this = self.project();
        guarded(|| this.future.set(None))
    }
}

impl<F, T, E> Future for Attempt<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = (u64, Ended);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(u64, Ended)> {
        let this = self.as_mut().project();
        *this.is_begun = true;
        let (job, Some(future)) = (*this.job, this.future.as_pin_mut()) else { return Poll::Pending };
        let polled = guarded(|| {
            let polled = future.poll(cx);
            polled.map(|delivered| delivered.map(drop).map_err(|error| DeliveryError::of(error.into())))
        });
        let ended = match polled {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(ended)) => Some(ended),
            None => None,
        };
        Poll::Ready((job, self.clear().and(ended)))
    }
}

#[cfg(test)]
mod tests;
