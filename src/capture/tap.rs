use std::task::Poll;
use std::{fmt, mem};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::exchange::BodyEnd;
use crate::handoff::{Half, finish};

/// Records one half of an exchange: the request body, or the response. The tap of the response moves
/// from the future to the response body. Either half may outlive the other, on another thread.
///
/// Dropping the tap ends its half: this is where a client that disconnects, or a caller that
/// cancels, is noticed. The half that ends last hands the exchange over. An empty tap records
/// nothing.
///
/// It is one pointer, because requests are moved a lot.
#[derive(Default)]
pub(crate) struct Tap(pub(super) Option<Box<Half>>);

/// The result of polling a body.
type Polled<B> = Poll<Option<Result<Frame<Bytes>, <B as Body>::Error>>>;

impl Tap {
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Records the result of polling `body`, and passes it on. The end of the body empties the tap.
    #[inline(always)]
    pub(super) fn record_poll<B: Body<Data = Bytes>>(&mut self, body: &B, polled: Polled<B>) -> Polled<B> {
        match polled {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    if let Some(half) = &mut self.0 {
                        half.record(&data);
                        if body.is_end_stream() {
                            half.end_as(BodyEnd::Complete);
                        }
                    }
                    // A new frame: moving the old one, which has room for trailers, would move
                    // three times as much.
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Err(frame) => {
                    // Nothing follows trailers, and servers stop polling there.
                    self.end_at_trailers();
                    Poll::Ready(Some(Ok(frame)))
                }
            },
            Poll::Ready(item) => {
                if !self.is_empty() {
                    self.end_as(if item.is_some() { BodyEnd::Broken } else { BodyEnd::Complete });
                    *self = Self::default();
                }
                Poll::Ready(item)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Marks the body as complete if its `is_end_stream` is true. Servers stop polling at the last byte.
    #[inline(always)]
    pub(crate) fn check_end_stream(&mut self, body: &impl Body) {
        if !self.is_empty() && body.is_end_stream() {
            self.end_as(BodyEnd::Complete);
        }
    }

    /// Records a body that is available as a whole.
    #[cfg(feature = "reqwest")]
    pub(crate) fn record_whole(mut self, body: &Bytes) {
        if let Some(half) = &mut self.0 {
            half.record(body);
        }
        self.end_as(BodyEnd::Complete);
    }

    #[inline(always)]
    fn end_as(&mut self, ended: BodyEnd) {
        if let Some(half) = &mut self.0 {
            half.end_as(ended);
        }
    }

    /// Runs at most once per body, and stays out of the code that passes frames.
    #[cold]
    #[inline(never)]
    fn end_at_trailers(&mut self) {
        self.end_as(BodyEnd::Complete);
    }

    /// Until the guard is disarmed, a panic marks the body as broken. A closure around the poll
    /// would cost a move of each frame.
    #[inline(always)]
    pub(super) fn break_on_panic(&mut self) -> OnPanic<'_, impl Fn(&mut Self)> {
        OnPanic(self, |tap: &mut Self| tap.end_as(BodyEnd::Broken))
    }
}

/// Runs a function if a panic unwinds past it.
pub(crate) struct OnPanic<'a, F: Fn(&mut Tap)>(pub(super) &'a mut Tap, pub(super) F);

impl<F: Fn(&mut Tap)> OnPanic<'_, F> {
    /// There was no panic.
    #[inline(always)]
    pub(crate) fn disarm(self) {
        mem::forget(self);
    }
}

impl<F: Fn(&mut Tap)> Drop for OnPanic<'_, F> {
    #[cold]
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

impl Drop for Tap {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(half) = self.0.take() {
            finish(half);
        }
    }
}

/// Shows nothing of the exchange.
impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}
