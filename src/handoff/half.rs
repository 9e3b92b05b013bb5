use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::recorder::Recorder;
use super::rendezvous::Rendezvous;
use crate::budget::{Budget, Permit};
use crate::exchange::{BodyEnd, CallResult, Head, MediaType, RecordedMessage, Response};
use crate::identity::Identity;
use crate::provider::RequestTarget;
use crate::provider::operation::Operation;

/// One half of an exchange: the request, or the response or its absence. The tap that records it
/// owns it and finishes it.
#[derive(Default)]
pub(crate) struct Half {
    head: Head,
    pub(super) recorder: Recorder,
    ended: BodyEnd,
    /// `None` for a response.
    pub(super) request_meta: Option<RequestMeta>,
    /// Kept if the report of the operation needs it.
    pub(super) target: Option<Box<RequestTarget>>,
    pub(super) is_response: bool,
    response_state: ResponseState,
    request_id: Option<Box<str>>,
    /// Bytes charged for texts from the headers.
    texts: usize,
    finished: Option<Instant>,
    /// The operation of a response, if its times and request id are recorded.
    pub(super) metadata_of: Option<Operation>,
    has_woken_worker: bool,
    /// Where the two halves meet. `None` while the exchange waits for the worker.
    exchange: Option<Arc<Rendezvous<Half>>>,
    /// The queue that the exchange is handed to. `None` in the half that ended first.
    pub(super) out: Option<Arc<dyn HandOver>>,
}

/// The facts known when a request enters the layer.
pub(crate) struct RequestMeta {
    pub(crate) permit: Permit,
    pub(crate) operation: Operation,
    pub(crate) identity: Identity,
    pub(crate) started: Instant,
}

/// The response as far as it is known.
#[derive(Default)]
enum ResponseState {
    #[default]
    Nothing,
    Failure,
    Response(StatusCode),
}

/// Receives exchanges whose halves have both ended. A trait, because the queue, which implements it,
/// stores halves.
pub(crate) trait HandOver: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The budget that the exchanges are charged to.
    fn budget(&self) -> &Arc<Budget>;

    /// Wakes the worker if it sleeps.
    fn wake_worker(&self);

    /// Hands over an exchange.
    fn hand_over(&self, finished: Finished);
}

/// An exchange whose halves have both ended: one is `first`, the other is in the rendezvous.
pub(crate) struct Finished {
    pub(super) exchange: Arc<Rendezvous<Half>>,
    pub(super) first: Box<Half>,
}

/// The longest request id that is kept, in bytes: the server chooses its length.
const LONGEST_ID: usize = 256;

/// Finishes a half. The half that ends last hands the exchange over.
#[inline(never)]
pub(crate) fn finish(mut half: Box<Half>) {
    let Some(exchange) = half.exchange.take() else { return };
    if half.is_response {
        half.finished = Some(Instant::now());
    }
    let has_woken_worker = half.has_woken_worker;
    let Some(mut first) = exchange.meet(half) else { return };
    // Taken out before the exchange is handed over: nothing else keeps the queue alive until this
    // function returns.
    let Some(out) = first.out.take() else { return };
    let has_woken_worker = has_woken_worker || first.has_woken_worker;
    out.hand_over(Finished { exchange, first });
    // A call that was never polled has not woken the worker yet. Nobody waits for the end of such a
    // call.
    if !has_woken_worker {
        out.wake_worker();
    }
}

impl Half {
    /// Makes both halves of an exchange.
    pub(crate) fn pair() -> (Box<Self>, Box<Self>) {
        let half = |is_response| Box::new(Self { is_response, ..Self::default() });
        (half(false), half(true))
    }

    #[inline(always)]
    pub(crate) fn begin_request(&mut self, headers: &HeaderMap, request_meta: RequestMeta) {
        let has_texts = self.head.read(headers) | self.target.is_some();
        self.request_meta = Some(request_meta);
        if has_texts {
            self.charge_texts();
        }
    }

    #[inline(always)]
    pub(crate) fn record(&mut self, frame: &Bytes) {
        let Self { recorder, out, .. } = self;
        recorder.record(frame, || out.as_deref().map(|out| &**out.budget()));
    }

    /// Sets how the body ended. A later call overrides it.
    #[inline]
    pub(crate) fn end_as(&mut self, ended: BodyEnd) {
        self.ended = ended;
    }

    /// Wakes the worker if it sleeps. The first call also records the identity of the surrounding
    /// scope.
    #[inline(always)]
    pub(crate) fn wake_worker(&mut self, around: impl FnOnce() -> Option<Identity>) {
        let (Some(exchange), Some(out)) = (&self.exchange, &self.out) else { return };
        if !mem::replace(&mut self.has_woken_worker, true)
            && let Some(around) = around()
        {
            exchange.set_scope_identity(around);
        }
        out.wake_worker();
    }

    /// Records the head of the response.
    pub(crate) fn respond(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.response_state = ResponseState::Response(status);
        let mut has_texts = self.head.read(headers);
        self.recorder.expect(self.head.media_type == MediaType::EventStream, self.metadata_of.is_some());
        if let Some(operation) = self.metadata_of {
            self.request_id = request_id(headers, operation);
            has_texts |= self.request_id.is_some();
        }
        if has_texts {
            self.charge_texts();
        }
    }

    /// Charges the budget for texts from the headers. Most exchanges have none.
    #[cold]
    #[inline(never)]
    fn charge_texts(&mut self) {
        let Self { head, request_id, target, recorder, out: Some(out), .. } = self else { return };
        let of_target = target.as_ref().map_or(0, |target| target.bytes());
        let bytes = head.bytes() + request_id.as_ref().map_or(0, |id| id.len()) + of_target;
        let budget = out.budget();
        if budget.charge(bytes) {
            self.texts = bytes;
        } else {
            recorder.give_up(0, budget);
            (self.head, self.request_id, self.target) = Default::default();
        }
    }

    /// Records an error in place of a response.
    pub(crate) fn fail(&mut self) {
        self.response_state = ResponseState::Failure;
    }

    /// Prepares for another exchange. The other half gets the same one.
    pub(crate) fn serve(&mut self, exchange: Arc<Rendezvous<Half>>, out: &Arc<dyn HandOver>) {
        self.exchange = Some(exchange);
        self.has_woken_worker = false;
        // One of two reused halves still has its reference.
        self.out.get_or_insert_with(|| Arc::clone(out));
    }

    /// Takes the recorded message.
    pub(crate) fn take(&mut self) -> RecordedMessage {
        RecordedMessage {
            head: mem::take(&mut self.head),
            body: self.recorder.finish(mem::take(&mut self.ended)),
        }
    }

    /// Takes the response, and the time at which its last byte left.
    pub(crate) fn take_result(&mut self) -> (CallResult, Instant) {
        let (message, request_id) = (self.take(), self.request_id.take());
        let result = match mem::take(&mut self.response_state) {
            ResponseState::Nothing => CallResult::Cancelled,
            ResponseState::Failure => CallResult::Failed,
            ResponseState::Response(status) => {
                CallResult::Response(Box::new(Response { status, request_id, message }))
            }
        };
        (result, self.finished.take().unwrap_or_else(Instant::now))
    }

    /// Takes the number of bytes charged to the budget; the caller is responsible for them now.
    pub(crate) fn take_charged(&mut self) -> usize {
        self.recorder.charged + mem::take(&mut self.texts)
    }
}

/// The request id: the first of the headers that the operation's provider lists.
#[cold]
#[inline(never)]
fn request_id(headers: &HeaderMap, operation: Operation) -> Option<Box<str>> {
    let text = |name: &&str| headers.get(*name)?.to_str().ok().filter(|id| !id.is_empty());
    let id = operation.spec().request_ids.iter().find_map(text)?;
    Some(id.get(..LONGEST_ID).unwrap_or(id).into())
}
