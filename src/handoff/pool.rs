use std::sync::{Arc, Weak};
use std::time::Instant;

use http::HeaderMap;

use super::half::{Finished, Half, HandOver, RequestMeta};
use super::rendezvous::Rendezvous;
use crate::budget::{Budget, Permit};
use crate::exchange::{CallResult, Exchange, RecordedMessage};
use crate::identity::Identity;
use crate::provider::RequestTarget;
use crate::provider::operation::Operation;

/// The bytes charged for an open exchange, beside bodies, identity and long headers. The allocator
/// gave out 780 bytes for each exchange with an open response (`tests/memory.rs`, debug build). The
/// remainder allows for the state of the caller's connection, which was not measured.
pub(crate) const EXCHANGE_OVERHEAD: usize = 2 * 1024;

/// The memory of an exchange, reused for the next one.
pub(crate) struct PooledExchange {
    /// The rendezvous, for the identity slot. The worker creates this reference, which spares the
    /// caller an atomic increment.
    exchange: Weak<Rendezvous<Half>>,
    request: Box<Half>,
    response: Box<Half>,
}

impl PooledExchange {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(out: Arc<dyn HandOver>) -> Self {
        Self::of(Half::pair(), Arc::new(Rendezvous::new(out.budget())), &out)
    }

    fn of(
        (mut request, mut response): (Box<Half>, Box<Half>),
        exchange: Arc<Rendezvous<Half>>,
        out: &Arc<dyn HandOver>,
    ) -> Self {
        let weak = Arc::downgrade(&exchange);
        request.serve(Arc::clone(&exchange), out);
        response.serve(exchange, out);
        Self { exchange: weak, request, response }
    }

    /// Begins an exchange and returns its halves. Times and ids are recorded if `with_metadata`.
    #[inline(always)]
    pub(crate) fn begin(
        self,
        budget: &Budget,
        (permit, operation, identity): (Permit, Operation, Identity),
        (path, headers): (&str, &HeaderMap),
        with_metadata: bool,
    ) -> (Weak<Rendezvous<Half>>, Box<Half>, Box<Half>) {
        let Self { exchange, mut request, mut response } = self;
        let spare = request.recorder.spare() + response.recorder.spare();
        if spare > 0 && budget.charge(spare) {
            request.recorder.open_spare();
            response.recorder.open_spare();
        }
        let mut needs_id = with_metadata;
        if let Some(envelope) = &operation.spec().envelope {
            request.target = Some(Box::new(RequestTarget::of(path, headers)));
            needs_id |= envelope.response.is_some();
        }
        let started = Instant::now();
        request.begin_request(headers, RequestMeta { permit, operation, identity, started });
        response.metadata_of = needs_id.then_some(operation);
        (exchange, request, response)
    }
}

impl Finished {
    /// Separates the exchange from the memory that can be reused.
    pub(crate) fn take(self) -> Option<(Exchange, PooledExchange)> {
        let Self { exchange, first } = self;
        let last = exchange.ended.take()?;
        let out = Arc::clone(last.out.as_ref()?);
        let (mut request, mut response) = if first.is_response { (last, first) } else { (first, last) };
        let RequestMeta { permit, operation, identity, started } = request.request_meta.take()?;
        let mut reservation = permit.admit(out.budget());
        let (identity, has_room) = match exchange.take_late_identity() {
            Some(late) => late.complete(identity, &mut reservation),
            None => (identity.fill_from(Identity::new()), true),
        };
        reservation.adopt(request.take_charged() + response.take_charged());
        let (message, target) = (request.take(), request.target.take());
        let (result, finished) = response.take_result();
        let is_kept = |message: &RecordedMessage| !message.body.over_budget;
        let has_room = has_room
            && is_kept(&message)
            && !matches!(&result, CallResult::Response(response) if !is_kept(&response.message));
        let taken = Exchange {
            reservation,
            has_room,
            operation,
            target,
            identity,
            started,
            finished,
            request: message,
            result,
        };
        let exchange = reuse_or_new(exchange, out.budget());
        Some((taken, PooledExchange::of((request, response), exchange, &out)))
    }
}

/// Reuses the rendezvous unless an identity slot still refers to it: its updates would reach the
/// wrong exchange.
fn reuse_or_new(mut exchange: Arc<Rendezvous<Half>>, budget: &Arc<Budget>) -> Arc<Rendezvous<Half>> {
    match Arc::get_mut(&mut exchange) {
        Some(vacant) => {
            vacant.reset();
            exchange
        }
        None => Arc::new(Rendezvous::new(budget)),
    }
}
