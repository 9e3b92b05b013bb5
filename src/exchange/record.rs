use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};

use http::HeaderMap;

use super::Exchange;
use super::in_flight::{InFlight, Known};
use super::part::Part;
use crate::budget::{Budget, Place};
use crate::endpoint::Endpoint;
use crate::identity::Identity;

/// Where exchanges go when they have ended.
pub(crate) trait HandOver: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// What is charged for them.
    fn budget(&self) -> &Arc<Budget>;

    /// Wakes whoever takes them, if it sleeps.
    fn announce(&self);

    /// Hands one over.
    fn hand_over(&self, landed: Landed);
}

/// What it takes to record an exchange: memory that serves one after the other.
#[derive(Debug)]
pub(crate) struct Record {
    /// `None` if it is new, or somebody refers to what was there.
    exchange: Option<Arc<InFlight>>,
    request: Box<Part>,
    response: Box<Part>,
}

/// An exchange of which both parts have ended: the first is beside it, the other in it.
#[derive(Debug)]
pub(crate) struct Landed {
    exchange: Arc<InFlight>,
    first: Box<Part>,
}

impl Record {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(out: Arc<dyn HandOver>) -> Self {
        let request = Box::new(Part::new(Arc::clone(&out)));
        Self { exchange: None, request, response: Box::new(Part::new(out)) }
    }

    /// Begins an exchange, which takes the identity. Gives its parts away, to be recorded, with moments and ids if asked for.
    #[inline(always)]
    pub(crate) fn begin(
        self,
        budget: &Budget,
        (place, endpoint, identity): (Place, Endpoint, &mut Identity),
        headers: &HeaderMap,
        with_metadata: bool,
    ) -> (Weak<InFlight>, Box<Part>, Box<Part>) {
        let Self { exchange, mut request, mut response } = self;
        let exchange = 'begun: {
            if let Some(mut exchange) = exchange
                && let Some(vacant) = Arc::get_mut(&mut exchange)
            {
                vacant.begin(place, endpoint, identity);
                break 'begun exchange;
            }
            InFlight::anew(place, endpoint, mem::take(identity))
        };
        let spare = request.spare() + response.spare();
        if spare > 0 && budget.charge(spare) {
            request.open_spare();
            response.open_spare();
        }
        let weak = Arc::downgrade(&exchange);
        request.begin_request(headers, Arc::clone(&exchange));
        response.begin_response(with_metadata, exchange);
        (weak, request, response)
    }
}

impl Landed {
    #[inline(always)]
    pub(super) fn new(exchange: Arc<InFlight>, first: Box<Part>) -> Self {
        Self { exchange, first }
    }

    /// Takes out what is to be reported, and what can be used again.
    pub(crate) fn take(self) -> Option<(Exchange, Record)> {
        let Self { mut exchange, mut first } = self;
        let last = exchange.take_ended()?;
        let out = Arc::clone(last.out()?);
        let Known { endpoint, started, place, identity } = exchange.land()?;
        let mut admission = place.admit(out.budget());
        first.set_out(out);
        let (mut request, mut response) = if first.is_response() { (last, first) } else { (first, last) };
        admission.own(request.charged() + response.charged());
        let message = request.take();
        let (answer, finished) = response.take_answer();
        let landed = Exchange { admission, endpoint, identity, started, finished, request: message, answer };
        // Not one that a slot still refers to: it would say of another exchange what it says of this one.
        let is_free = Arc::get_mut(&mut exchange).is_some();
        Some((landed, Record { exchange: is_free.then_some(exchange), request, response }))
    }
}
