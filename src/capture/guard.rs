use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use http::{Extensions, HeaderMap, StatusCode};

use super::nested::is_within;
use super::tap::Tap;
use crate::budget::{Admission, Budget};
use crate::config::{Capturing, IdentityHeaders};
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, Exchange, Head, Message};
use crate::identity::{Attributed, Identity, IdentitySlot, Omission, read_headers};
use crate::queue::{Intake, Item};
use crate::stats::WithholdReason;
use crate::sync::{AtomicBool, Mutex, MutexGuard, OnceLock, into_inner};

/// One exchange in flight, held by its request body and by whatever stands for its response: the future, then the
/// response body. Either may outlive the other, on another thread. Each leaves its part here, and the last one hands
/// the whole over.
pub(crate) struct Guard(Option<Arc<InFlight>>);

struct InFlight {
    admission: Admission,
    endpoint: Endpoint,
    identity: Identity,
    /// What is said meanwhile. Locked by the first poll and by the application's calls, and never by the worker.
    later: Mutex<Later>,
    started: Instant,
    request: OnceLock<Message>,
    answer: OnceLock<(Answer, Instant)>,
    is_announced: AtomicBool,
    intake: Intake,
}

/// What is said of an exchange while it is under way.
#[derive(Default)]
struct Later {
    /// By the scope in which the exchange is first polled.
    around: Identity,
    /// By the application.
    said: Identity,
}

/// The response's side of an exchange, until there is a response.
#[derive(Debug)]
pub(crate) struct Capture {
    guard: Guard,
}

impl Capture {
    /// Begins to record an exchange, and leaves a slot in the request's extensions. `None` if it is not to be reported,
    /// if an outer layer records it already, or if the budget has no room for it.
    pub(crate) fn begin(
        intake: &Intake,
        endpoint: Endpoint,
        headers: &HeaderMap,
        extensions: &mut Extensions,
    ) -> Option<(Self, Tap)> {
        let capturing = intake.capturing();
        if let Some(slot) = extensions.get::<IdentitySlot>().filter(|slot| slot.is_taken()) {
            // The outer layer has not seen what was asked for since.
            let omission = Identity::of(extensions).omission;
            slot.set(Identity { omission, ..Identity::default() });
            return None;
        }
        if capturing.outermost_only && is_within() {
            return None;
        }
        let identity = identity_of(extensions, headers, capturing);
        let admission = match identity.omission {
            Omission::Everything => {
                intake.budget().withhold(WithholdReason::OptedOut);
                None
            }
            Omission::Content | Omission::Nothing => intake.budget().admit(),
        };
        let Some(admission) = admission else {
            extensions.insert(IdentitySlot::settled());
            return None;
        };
        let in_flight = Arc::new(InFlight {
            admission,
            endpoint,
            identity,
            later: Mutex::default(),
            started: Instant::now(),
            request: OnceLock::new(),
            answer: OnceLock::new(),
            is_announced: AtomicBool::new(false),
            intake: intake.clone(),
        });
        // Held weakly: whoever keeps the extensions does not keep the exchange from being handed over.
        let exchange = Arc::downgrade(&in_flight);
        extensions.insert(IdentitySlot::of(exchange));
        let guard = Guard(Some(Arc::clone(&in_flight)));
        let tap = Tap::on_request(Head::of(headers), Guard(Some(in_flight)));
        Some((Self { guard }, tap))
    }

    /// Sees to it that the worker is awake when the exchange ends.
    pub(crate) fn announce(&self) {
        let Some(in_flight) = &self.guard.0 else { return };
        // Only the response's side comes here: one task at a time.
        if !in_flight.is_announced.load(Relaxed) {
            in_flight.is_announced.store(true, Relaxed);
            // `scope(service.call(request))` makes the call before it opens the scope.
            let around = Identity::current();
            if !around.is_empty() {
                in_flight.later().around = around;
            }
        }
        in_flight.intake.announce();
    }

    /// There is a response, whose body is to be recorded.
    pub(crate) fn respond(self, status: StatusCode, headers: &HeaderMap) -> Tap {
        let capturing =
            self.guard.0.as_ref().map(|in_flight| in_flight.intake.capturing()).unwrap_or_default();
        Tap::on_response(status, headers, capturing, self.guard)
    }

    /// There is an error instead of a response.
    pub(crate) fn fail(self) {
        self.guard.deposit_answer(Answer::Failed);
    }
}

/// Who is asking: as the extensions say, else the headers if they are to be believed, else the task.
fn identity_of(extensions: &Extensions, headers: &HeaderMap, capturing: Capturing) -> Identity {
    let mut identity = Identity::of(extensions);
    if capturing.identity_headers != IdentityHeaders::Ignore {
        identity = identity.or(read_headers(headers));
    }
    identity.or(Identity::current())
}

impl Attributed for InFlight {
    fn change(self: Arc<Self>, later: Identity) {
        // It may be the last to hold the exchange.
        let guard = Guard(Some(self));
        if let Some(in_flight) = &guard.0 {
            in_flight.later().said.change(later);
        }
    }
}

impl Guard {
    pub(super) fn budget(&self) -> Option<&Budget> {
        self.0.as_ref().map(|in_flight| in_flight.admission.budget())
    }

    pub(super) fn deposit_request(&self, message: Message) {
        if let Some(in_flight) = &self.0 {
            // Never set before: there is one request body, and it deposits as it ends.
            let _ = in_flight.request.set(message);
        }
    }

    pub(super) fn deposit_answer(&self, answer: Answer) {
        if let Some(in_flight) = &self.0 {
            // Never set before: future and response body follow each other.
            let _ = in_flight.answer.set((answer, Instant::now()));
        }
    }
}

/// Shows nothing of the exchange.
impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Drop for Guard {
    /// Hands over, if this was the last: of several threads that get here at once, `into_inner` serves exactly one.
    fn drop(&mut self) {
        if let Some(in_flight) = self.0.take().and_then(into_inner) {
            in_flight.hand_over();
        }
    }
}

impl InFlight {
    fn later(&self) -> MutexGuard<'_, Later> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(self) {
        let Self { mut admission, endpoint, identity, later, started, request, answer, is_announced, intake } =
            self;
        let Later { around, said } = later.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut identity = identity.or(around);
        identity.change(said);
        let request = request.into_inner().unwrap_or_default();
        let (answer, finished) = answer.into_inner().unwrap_or_else(|| (Answer::None, Instant::now()));
        admission.own(request.body.charged);
        if let Answer::Response(response) = &answer {
            admission.own(response.message.body.charged);
        }
        intake.push(Item::Exchange(Exchange {
            admission,
            endpoint,
            identity,
            started,
            finished,
            request,
            answer,
        }));
        // A call that was never polled has not woken the worker. Nobody waits for the end of such a one.
        if !is_announced.into_inner() {
            intake.announce();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::config::Limits;
    use crate::queue;

    #[test]
    fn a_call_that_is_never_polled_wakes_the_worker_all_the_same() {
        let limits = Limits { items: 1, bytes: 1_000, body_bytes: 1_000 };
        let (intake, outlet) = queue::channel(Arc::new(Budget::new(limits)), Capturing::default());
        let mut asleep = std::pin::pin!(outlet.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none(), "nothing has happened");
        drop(Capture::begin(&intake, Endpoint::Chat, &HeaderMap::new(), &mut Extensions::new()));
        assert!(asleep.now_or_never().is_some(), "the worker is awake");
        assert_eq!(outlet.queue.len(), 1);
    }

    #[test]
    fn an_exchange_wakes_a_sleeping_worker_once_and_early() {
        let limits = Limits { items: 2, bytes: 1_000, body_bytes: 1_000 };
        let (intake, outlet) = queue::channel(Arc::new(Budget::new(limits)), Capturing::default());
        let mut asleep = std::pin::pin!(outlet.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none());
        let (capture, tap) =
            Capture::begin(&intake, Endpoint::Chat, &HeaderMap::new(), &mut Extensions::new()).unwrap();
        capture.announce();
        assert!(asleep.now_or_never().is_some(), "before the end of the exchange");
        let mut asleep = std::pin::pin!(outlet.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none());
        drop((capture, tap));
        assert!(asleep.now_or_never().is_none(), "not at its end");
    }
}
