//! InFlight that are under way. The worker polls them itself: a task of the runtime's for each takes half as much, to make, to
//! schedule and to join, as the making of the report.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};
use pin_project_lite::pin_project;
use tower::BoxError;

use crate::transport::DeliveryError;

/// What an attempt came to; `None` if it panicked.
pub(crate) type Ended = Option<Result<(), DeliveryError>>;

/// The futures of the transport, each with the job that it is for.
pub(crate) struct InFlight<F>(FuturesUnordered<Attempt<F>>);

pin_project! {
    /// It panics as it is polled, as what it came to is looked at, or as it is dropped: none of that is to end the worker.
    struct Attempt<F> {
        job: u64,
        is_begun: bool,
        // `None` once it has ended, or need not begin.
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

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Begins one.
    pub(crate) fn push(&mut self, job: u64, future: F) {
        self.0.push(Attempt { job, is_begun: false, future: Some(future) });
    }

    /// The next that ends, with its job; `None` if there are none.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> Option<(u64, Ended)> {
        self.0.next().await
    }

    /// Another one that has ended already.
    pub(crate) async fn next_ended(&mut self) -> Option<(u64, Ended)> {
        match poll_fn(|cx| Poll::Ready(self.0.poll_next_unpin(cx))).await {
            Poll::Ready(ended) => ended,
            Poll::Pending => None,
        }
    }

    /// Lets go of those that have never been polled: nothing of theirs is on its way.
    pub(crate) fn begin_no_more(&mut self) {
        for attempt in Pin::new(&mut self.0).iter_pin_mut().filter(|attempt| !attempt.is_begun) {
            attempt.clear();
        }
    }

    /// Breaks all of them off. Returns their jobs.
    pub(crate) fn abort(&mut self) -> Vec<u64> {
        let jobs = Pin::new(&mut self.0).iter_pin_mut().map(|attempt| attempt.job).collect();
        self.0.clear();
        jobs
    }
}

impl<F> Attempt<F> {
    /// `None` if what was there panicked as it was dropped.
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
        match polled {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(ended)) => Poll::Ready((job, self.clear().map(|()| ended))),
            None => {
                self.clear();
                Poll::Ready((job, None))
            }
        }
    }
}

/// Runs code of the transport's. `None` if it panics.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests;
