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
        // What makes the body is a part of handling the exchange, and to be known as that.
        marks_task: bool,
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
    pub(crate) fn new(inner: B, mut tap: Option<Tap>, marks_task: bool) -> Self {
        if let Some(tap) = &mut tap {
            tap.look_for_end(&inner);
        }
        Self { inner, tap, marks_task }
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
        poll_recorded(this.inner, this.tap, cx, |inner, cx| inner.poll_frame(cx))
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
        let marks_task = *this.marks_task;
        poll_recorded(this.inner, this.tap, cx, |inner, cx| within(marks_task, || inner.poll_frame(cx)))
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
    poll: impl FnOnce(Pin<&mut B>, &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>>,
) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    let polled = poll(inner.as_mut(), cx);
    if tap.is_some() {
        Tap::observe(tap, &*inner, &polled);
    }
    polled
}
