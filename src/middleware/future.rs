use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::capture::{Capture, ResponseBody, Within};

pin_project! {
    /// The response of a [`Reconify`](crate::Reconify) service, to be.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        pub(super) inner: F,
        pub(super) capture: Capture,
        pub(super) marks_task: bool,
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
        let marks_task = *this.marks_task;
        let within = marks_task.then(Within::enter);
        let guard = this.capture.fail_on_panic();
        let polled = this.inner.poll(cx);
        guard.disarm();
        drop(within);
        // Looked at where it is: a response is large.
        if !this.capture.is_empty() {
            match &polled {
                Poll::Pending => this.capture.wake_worker(),
                Poll::Ready(Ok(response)) => this.capture.respond(response.status(), response.headers()),
                Poll::Ready(Err(_)) => this.capture.fail(),
            }
        }
        match polled {
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                let mut tap = mem::take(this.capture).into_tap();
                tap.look_for_end(&body);
                Poll::Ready(Ok(Response::from_parts(head, ResponseBody::new(body, tap, marks_task))))
            }
            Poll::Ready(Err(error)) => {
                *this.capture = Capture::default();
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
