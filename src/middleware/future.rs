use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use crate::capture::{NestingGuard, Observer, ResponseBody};

pin_project! {
    /// The response future of a [`Reconify`](crate::Reconify) service, around any kind of client
    /// or server.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        pub(super) inner: F,
        pub(super) observer: Observer,
        pub(super) tracks_nesting: bool,
    }
}

/// A response whose body can be recorded as it passes.
#[expect(unnameable_types, reason = "it is sealed: there is one for each kind of client")]
pub trait Recordable {
    type Body: Body<Data = Bytes>;
    type Recorded;

    fn head(&self) -> (StatusCode, &HeaderMap);

    /// Wraps the body. An exchange that is not recorded may keep its body as it is.
    fn wrap(
        self,
        is_recorded: bool,
        wrap: impl FnOnce(Self::Body) -> ResponseBody<Self::Body>,
    ) -> Self::Recorded;
}

impl<B: Body<Data = Bytes>> Recordable for Response<B> {
    type Body = B;
    type Recorded = Response<ResponseBody<B>>;

    #[inline(always)]
    fn head(&self) -> (StatusCode, &HeaderMap) {
        (self.status(), self.headers())
    }

    #[inline(always)]
    fn wrap(self, _: bool, wrap: impl FnOnce(B) -> ResponseBody<B>) -> Self::Recorded {
        let (head, body) = self.into_parts();
        Response::from_parts(head, wrap(body))
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: Recordable,
{
    type Output = Result<R::Recorded, E>;

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
                Poll::Ready(Ok(response)) => {
                    let (status, headers) = response.head();
                    this.observer.on_response(status, headers);
                }
                Poll::Ready(Err(_)) => this.observer.on_error(),
            }
        }
        match polled {
            Poll::Ready(Ok(response)) => {
                let mut tap = mem::take(this.observer).into_tap();
                Poll::Ready(Ok(response.wrap(!tap.is_empty(), |body| {
                    tap.check_end_stream(&body);
                    ResponseBody::new(body, tap, tracks_nesting)
                })))
            }
            Poll::Ready(Err(error)) => {
                *this.observer = Observer::default();
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
