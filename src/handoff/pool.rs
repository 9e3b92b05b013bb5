use std::sync::{Arc, Weak};
use std::time::Instant;

use http::HeaderMap;

use super::half::{Finished, Half, HandOver, RequestMeta};
use super::rendezvous::Rendezvous;
use crate::budget::{Budget, Permit};
use crate::exchange::{Answer, Exchange, Message};
use crate::identity::Identity;
use crate::provider::operation::Endpoint;

/// What an open exchange is charged beside bodies, identity and long headers. The allocator gave out 780 bytes for each
/// exchange whose answer was still open (`tests/memory.rs`, in a debug build). The rest stands for the state of the caller's
/// connection, which was not measured.
pub(crate) const UNDER_WAY: usize = 2 * 1024;

/// What it takes to record an exchange: memory that serves one after the other.
#[derive(Debug)]
pub(crate) struct PooledExchange {
    /// What both parts share, for the slot. The worker has made it: counting references is not the caller's.
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

    /// Begins an exchange. Gives its parts away, to be recorded, with moments and ids if asked for.
    #[inline(always)]
    pub(crate) fn begin(
        self,
        budget: &Budget,
        (permit, endpoint, identity): (Permit, Endpoint, Identity),
        headers: &HeaderMap,
        with_metadata: bool,
    ) -> (Weak<Rendezvous<Half>>, Box<Half>, Box<Half>) {
        let Self { exchange, mut request, mut response } = self;
        let spare = request.spare() + response.spare();
        if spare > 0 && budget.charge(spare) {
            request.open_spare();
            response.open_spare();
        }
        request.begin_request(headers, RequestMeta { permit, endpoint, identity, started: Instant::now() });
        response.begin_response(with_metadata);
        (exchange, request, response)
    }
}

impl Finished {
    /// Takes out what is to be reported, and what can be used again.
    pub(crate) fn take(self) -> Option<(Exchange, PooledExchange)> {
        let Self { exchange, first } = self;
        let last = exchange.take_ended()?;
        let out = Arc::clone(last.out()?);
        let (mut request, mut response) = if first.is_response() { (last, first) } else { (first, last) };
        let RequestMeta { permit, endpoint, identity, started } = request.take_request_meta()?;
        let mut reservation = permit.admit(out.budget());
        let (identity, has_room) = match exchange.take_late_identity() {
            Some(late) => late.complete(identity, &mut reservation),
            None => (identity.or(Identity::new()), true),
        };
        reservation.adopt(request.take_charged() + response.take_charged());
        let message = request.take();
        let (answer, finished) = response.take_answer();
        let is_kept = |message: &Message| !message.body.over_budget;
        let has_room = has_room
            && is_kept(&message)
            && !matches!(&answer, Answer::Response(response) if !is_kept(&response.message));
        let taken = Exchange {
            reservation,
            has_room,
            endpoint,
            identity,
            started,
            finished,
            request: message,
            answer,
        };
        let exchange = open_again(exchange, out.budget());
        Some((taken, PooledExchange::of((request, response), exchange, &out)))
    }
}

/// Not one that a slot still refers to: it would say of another exchange what it says of this one.
fn open_again(mut exchange: Arc<Rendezvous<Half>>, budget: &Arc<Budget>) -> Arc<Rendezvous<Half>> {
    match Arc::get_mut(&mut exchange) {
        Some(vacant) => {
            vacant.open_again();
            exchange
        }
        None => Arc::new(Rendezvous::new(budget)),
    }
}
