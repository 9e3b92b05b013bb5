use std::mem;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};

use super::guard::Guard;
use super::recorder::Recorder;
use crate::config::Capturing;
use crate::exchange::{Answer, Ended, Head, Message, Response};

/// Records one body, and leaves what it recorded with the exchange when the body ends or is dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    recorder: Recorder,
    ended: Ended,
    head: Head,
    side: Side,
    // Dropped last: it may hand the exchange over.
    guard: Guard,
}

#[derive(Debug)]
enum Side {
    Request,
    Response { status: StatusCode, request_id: Option<Box<str>> },
}

impl Tap {
    pub(super) fn on_request(head: Head, guard: Guard) -> Self {
        Self { recorder: Recorder::default(), ended: Ended::default(), head, side: Side::Request, guard }
    }

    pub(super) fn on_response(
        status: StatusCode,
        headers: &HeaderMap,
        capturing: Capturing,
        guard: Guard,
    ) -> Self {
        let recorder = if capturing.metadata { Recorder::with_marks() } else { Recorder::default() };
        let request_id =
            capturing.metadata.then(|| headers.get("x-request-id")?.to_str().ok().map(Box::from)).flatten();
        let side = Side::Response { status, request_id };
        Self { recorder, ended: Ended::default(), head: Head::of(headers), side, guard }
    }

    /// Takes note of what polling `body` gave. The end of the body takes the tap.
    pub(super) fn observe<B: Body<Data = Bytes>>(
        tap: &mut Option<Self>,
        body: &B,
        polled: &Poll<Option<Result<Frame<Bytes>, B::Error>>>,
    ) {
        let (Some(this), Poll::Ready(item)) = (tap.as_mut(), polled) else {
            return;
        };
        match item {
            Some(Ok(frame)) => {
                if let (Some(data), Some(budget)) = (frame.data_ref(), this.guard.budget()) {
                    this.recorder.record(data, budget);
                }
                this.look_for_end(body);
                return;
            }
            Some(Err(_)) => this.ended = Ended::Broken,
            None => this.ended = Ended::Complete,
        }
        *tap = None;
    }

    /// Records a body that is at hand as a whole.
    pub(crate) fn record_whole(mut self, body: &Bytes) {
        if let Some(budget) = self.guard.budget() {
            self.recorder.record(body, budget);
        }
        self.ended = Ended::Complete;
    }

    /// A body may be known to be at its end without ever being polled to it: servers stop at the last byte.
    pub(super) fn look_for_end(&mut self, body: &impl Body) {
        if body.is_end_stream() {
            self.ended = Ended::Complete;
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let body = mem::take(&mut self.recorder).finish(self.ended);
        let message = Message { head: mem::take(&mut self.head), body };
        match &mut self.side {
            Side::Request => self.guard.deposit_request(message),
            Side::Response { status, request_id } => {
                let response = Response { status: *status, request_id: request_id.take(), message };
                self.guard.deposit_answer(Answer::Response(Box::new(response)));
            }
        }
    }
}
