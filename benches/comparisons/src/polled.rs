//! Bodies whose frames are not all there at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

/// A body whose frames a function gives.
pub struct Polled<F>(pub F);

impl<F: FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Unpin> Body for Polled<F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        (self.0)(cx).map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
    }
}
