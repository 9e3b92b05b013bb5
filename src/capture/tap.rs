use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};

use crate::exchange::{Answering, Ended, InFlight, Part, Side};
use crate::identity::Identity;
use crate::queue::Intake;

/// Records a part of an exchange: its request body, or whatever stands for its response, which is the future, then the
/// response body. Either may outlive the other, on another thread. As it is dropped, its part ends; the last one hands
/// the exchange over.
///
/// It is small, because requests are moved a lot.
pub(crate) struct Tap<P: Part> {
    /// `None` once it has ended, as the next.
    part: Option<Box<P>>,
    in_flight: Option<Arc<InFlight>>,
    intake: Intake,
}

/// What polling a body gives.
type Polled<B> = Poll<Option<Result<Frame<Bytes>, <B as Body>::Error>>>;

pub(crate) type RequestTap = Tap<Side>;
pub(crate) type ResponseTap = Tap<Answering>;

impl<P: Part> Tap<P> {
    pub(super) fn new(part: Box<P>, in_flight: Arc<InFlight>, intake: Intake) -> Self {
        Self { part: Some(part), in_flight: Some(in_flight), intake }
    }

    /// Takes note of what polling `body` gave, and passes it on. The end of the body takes the tap.
    #[inline(always)]
    pub(super) fn observe<B: Body<Data = Bytes>>(
        tap: &mut Option<Self>,
        body: &B,
        polled: Polled<B>,
    ) -> Polled<B> {
        let Some(this) = tap else { return polled };
        match polled {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => {
                    this.record(&data);
                    this.look_for_end(body);
                    // Made anew: a frame has room for trailers, and its data is a third of what there were to move.
                    Frame::data(data)
                }
                Err(frame) => {
                    this.look_for_end(body);
                    frame
                }
            }))),
            Poll::Ready(item) => {
                this.end_as(if item.is_some() { Ended::Broken } else { Ended::Complete });
                *tap = None;
                Poll::Ready(item)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// A body may be known to be at its end without ever being polled to it: servers stop at the last byte.
    #[inline(always)]
    pub(super) fn look_for_end(&mut self, body: &impl Body) {
        if body.is_end_stream() {
            self.end_as(Ended::Complete);
        }
    }

    /// Records a body that is at hand as a whole.
    pub(crate) fn record_whole(mut self, body: &Bytes) {
        self.record(body);
        self.end_as(Ended::Complete);
    }

    #[inline(always)]
    fn record(&mut self, frame: &Bytes) {
        if let Some(part) = &mut self.part {
            part.side().record(frame, self.intake.budget());
        }
    }

    #[inline(always)]
    fn end_as(&mut self, ended: Ended) {
        if let Some(part) = &mut self.part {
            part.side().end_as(ended);
        }
    }
}

impl ResponseTap {
    pub(super) fn announce(&self) {
        let Some(in_flight) = &self.in_flight else { return };
        if in_flight.announce() {
            // `scope(service.call(request))` makes the call before it opens the scope.
            if let Some(around) = Identity::around() {
                in_flight.set_around(around);
            }
        }
        self.intake.announce();
    }

    pub(super) fn respond(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(part) = &mut self.part {
            part.respond(status, headers, self.intake.capturing().metadata);
        }
    }

    pub(super) fn fail(&mut self) {
        if let Some(part) = &mut self.part {
            part.fail();
        }
    }
}

impl<P: Part> Drop for Tap<P> {
    fn drop(&mut self) {
        let (Some(part), Some(in_flight)) = (self.part.take(), self.in_flight.take()) else { return };
        if part.end(&in_flight) {
            let is_announced = in_flight.is_announced();
            self.intake.hand_over(in_flight);
            // A call that was never polled has not woken the worker. Nobody waits for the end of such a one.
            if !is_announced {
                self.intake.announce();
            }
        }
    }
}

/// Shows nothing of the exchange.
impl<P: Part> fmt::Debug for Tap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}
