use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::capture::{NestingGuard, Observer, ResponseBody};

pin_project! {
    /// The response future of a [`Reconify`](crate::Reconify) service.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        pub(super) inner: F,
        pub(super) observer: Observer,
        pub(super) tracks_nesting: bool,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let tracks_nesting = *this.tracks_nesting;
        let nesting = tracks_nesting.then(NestingGuard::enter);
        let guard = this.observer.fail_on_panic();
        let polled = this.inner.poll(cx);
        guard.disarm();
        drop(nesting);
        // Inspected in place, because a response is large to move.
        if !this.observer.is_empty() {
            match &polled {
                Poll::Pending => this.observer.wake_worker(),
                Poll::Ready(Ok(response)) => this.observer.on_response(response.status(), response.headers()),
                Poll::Ready(Err(_)) => this.observer.on_error(),
            }
        }
        match polled {
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                let mut tap = mem::take(this.observer).into_tap();
                tap.check_end_stream(&body);
                Poll::Ready(Ok(Response::from_parts(head, ResponseBody::new(body, tap, tracks_nesting))))
            }
            Poll::Ready(Err(error)) => {
                *this.observer = Observer::default();
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
