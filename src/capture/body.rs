use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::nested::within;
use super::tap::Tap;

pin_project! {
    /// The body of a request on its way to the inner service.
    ///
    /// It passes on every frame, size hint and error of `B` as it is, and records the data of a captured exchange.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        tap: Option<Tap>,
    }
}

pin_project! {
    /// The body of a response on its way to the caller.
    ///
    /// It passes on every frame, size hint and error of `B` as it is, and records the data of a captured exchange.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        tap: Option<Tap>,
    }
}

impl<B: Body<Data = Bytes>> RequestBody<B> {
    pub(crate) fn new(inner: B, mut tap: Option<Tap>) -> Self {
        if let Some(tap) = &mut tap {
            tap.look_for_end(&inner);
        }
        Self { inner, tap }
    }
}

impl<B: Body<Data = Bytes>> ResponseBody<B> {
    pub(crate) fn new(inner: B, mut tap: Option<Tap>) -> Self {
        if let Some(tap) = &mut tap {
            tap.look_for_end(&inner);
        }
        Self { inner, tap }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        poll_recorded(this.inner, this.tap, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        poll_recorded(this.inner, this.tap, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn poll_recorded<B: Body<Data = Bytes>>(
    mut inner: Pin<&mut B>,
    tap: &mut Option<Tap>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    let marks_task = tap.as_ref().is_some_and(Tap::marks_task);
    let polled = within(marks_task, || inner.as_mut().poll_frame(cx));
    if tap.is_some() {
        Tap::observe(tap, &*inner, &polled);
    }
    polled
}
