use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use super::tap::Tap;
use crate::budget::{Admission, Budget};
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, Exchange, Head, Message};
use crate::identity::{Session, User};
use crate::queue::Intake;

/// One exchange in flight, held by its request body and by whatever stands for its response: the future, then the
/// response body. Either may outlive the other, on another thread. Each leaves its part here, and the last one hands
/// the whole over.
#[derive(Debug)]
pub(crate) struct Guard(Option<Arc<InFlight>>);

#[derive(Debug)]
struct InFlight {
    admission: Admission,
    endpoint: Endpoint,
    user: Option<User>,
    session: Option<Session>,
    started: Instant,
    request: OnceLock<Message>,
    answer: OnceLock<(Answer, Instant)>,
    intake: Intake,
}

/// The response's side of an exchange, until there is a response.
#[derive(Debug)]
pub(crate) struct Capture {
    guard: Guard,
}

impl Capture {
    /// Begins to record an exchange. `None` if the budget has no room for it.
    pub(crate) fn begin(
        intake: &Intake,
        endpoint: Endpoint,
        request: &http::request::Parts,
    ) -> Option<(Self, Tap)> {
        let in_flight = Arc::new(InFlight {
            admission: intake.budget().admit()?,
            endpoint,
            user: request.extensions.get().cloned(),
            session: request.extensions.get().cloned(),
            started: Instant::now(),
            request: OnceLock::new(),
            answer: OnceLock::new(),
            intake: intake.clone(),
        });
        let guard = Guard(Some(Arc::clone(&in_flight)));
        let tap = Tap::on_request(Head::of(&request.headers), Guard(Some(in_flight)));
        Some((Self { guard }, tap))
    }

    /// Sees to it that the worker is awake when the exchange ends.
    pub(crate) fn announce(&self) {
        if let Some(in_flight) = &self.guard.0 {
            in_flight.intake.announce();
        }
    }

    /// There is a response, whose body is to be recorded.
    pub(crate) fn respond(self, status: StatusCode, headers: &HeaderMap) -> Tap {
        Tap::on_response(status, Head::of(headers), self.guard)
    }

    /// There is an error instead of a response.
    pub(crate) fn fail(self) {
        self.guard.deposit_answer(Answer::Failed);
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

impl Drop for Guard {
    /// Hands over, if this was the last: of several threads that get here at once, `into_inner` serves exactly one.
    fn drop(&mut self) {
        if let Some(in_flight) = self.0.take().and_then(Arc::into_inner) {
            in_flight.hand_over();
        }
    }
}

impl InFlight {
    fn hand_over(self) {
        let Self { mut admission, endpoint, user, session, started, request, answer, intake } = self;
        let request = request.into_inner().unwrap_or_default();
        let (answer, finished) = answer.into_inner().unwrap_or_else(|| (Answer::None, Instant::now()));
        admission.own(request.body.charged);
        if let Answer::Response(_, message) = &answer {
            admission.own(message.body.charged);
        }
        intake.push(Exchange { admission, endpoint, user, session, started, finished, request, answer });
    }
}
