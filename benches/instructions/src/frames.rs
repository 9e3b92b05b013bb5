//! Bodies of frames, which the benchmarks send.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body of equal frames, each of which is there when it is asked for.
pub struct Frames {
    frame: Bytes,
    left: usize,
}

impl Frames {
    pub fn new(frame: Bytes, left: usize) -> Self {
        Self { frame, left }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.frame.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.left * self.frame.len()) as u64)
    }
}

/// JSON of about `size` bytes.
pub fn json(size: usize) -> Bytes {
    let head = r#"{"id":"c","object":"chat.completion","messages":[],"choices":[{"index":0,"message":{"role":"assistant","content":""#;
    Bytes::from(format!("{head}{}\"}}}}]}}", "x".repeat(size.saturating_sub(head.len() + 5))))
}

/// A chunk of a stream, `size` bytes long.
pub fn event(size: usize) -> Bytes {
    let head =
        r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
    Bytes::from(format!("{head}{}\"}}}}]}}\n\n", "x".repeat(size.saturating_sub(head.len() + 7))))
}

/// Reads a body to its end.
pub async fn drain(body: impl Body<Data = Bytes>) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        black_box(frame);
    }
}
