use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::capture::{Capture, ResponseBody, within};

pin_project! {
    /// The response of a [`Reconify`](crate::Reconify) service, to be.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        capture: Option<Capture>,
        marks_task: bool,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, capture: Option<Capture>, marks_task: bool) -> Self {
        Self { inner, capture, marks_task }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = within(*this.marks_task, || this.inner.poll(cx));
        // The inner service has done what it can for now: whoever waits, waits for something slower than this.
        if let Some(capture) = this.capture {
            capture.announce();
        }
        match ready!(polled) {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let tap = this.capture.take().map(|capture| capture.respond(parts.status, &parts.headers));
                Poll::Ready(Ok(Response::from_parts(parts, ResponseBody::new(body, tap, *this.marks_task))))
            }
            Err(error) => {
                if let Some(capture) = this.capture.take() {
                    capture.fail();
                }
                Poll::Ready(Err(error))
            }
        }
    }
}
