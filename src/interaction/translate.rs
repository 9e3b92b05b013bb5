use std::time::{Instant, SystemTime};

use super::content::{self, Content};
use super::{Interaction, InteractionKind};
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, Ended, Exchange, Message, Outcome};
use crate::stats::{DropReason, Settlement, WithholdReason};

/// The time of day, for moments that were taken from the monotonic clock on the callers' tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: Instant,
    today: SystemTime,
}

impl Clock {
    pub(crate) fn now() -> Self {
        Self { now: Instant::now(), today: SystemTime::now() }
    }

    fn at(&self, moment: Instant) -> SystemTime {
        let ago = self.now.saturating_duration_since(moment);
        self.today.checked_sub(ago).unwrap_or(self.today)
    }
}

/// Makes an interaction of an exchange, or says why there is nothing to report.
pub(crate) fn translate(exchange: &mut Exchange, clock: Clock) -> Result<Interaction, Settlement> {
    let limit = exchange.admission.budget().body_limit();
    let request = std::mem::take(&mut exchange.request);
    let answer = std::mem::replace(&mut exchange.answer, Answer::None);
    let over_budget = |message: &Message| message.body.over_budget;
    if over_budget(&request) || matches!(&answer, Answer::Response(_, message) if over_budget(message)) {
        return Err(Settlement::Dropped(DropReason::TooManyBytes));
    }
    let (response, outcome) = match answer {
        Answer::Failed => return Err(Settlement::Withheld(WithholdReason::Failed)),
        Answer::Response(status, _) if !status.is_success() => {
            return Err(Settlement::Withheld(WithholdReason::Refused));
        }
        Answer::None => (content::of_no_response(), Outcome::Abandoned),
        Answer::Response(_, message) => {
            let (is_complete, ended) = (message.is_complete(), message.body.ended);
            let response = content::of_response(exchange.endpoint, message, limit);
            let outcome = outcome(&response, is_complete, ended);
            (response, outcome)
        }
    };
    let request = content::of_request(exchange.endpoint, request, limit);
    Ok(Interaction {
        is_truncated: request.is_truncated || response.is_truncated,
        kind: match exchange.endpoint {
            Endpoint::Chat => InteractionKind::Chat,
            Endpoint::Completion => InteractionKind::Completion,
        },
        request: request.json,
        response: response.json,
        user: exchange.user.take(),
        session: exchange.session.take(),
        requested: clock.at(exchange.started),
        responded: clock.at(exchange.finished),
        outcome,
    })
}

/// Clients stop reading a stream at its `[DONE]`: such an answer is whole, however its body ended.
fn outcome(response: &Content, is_complete: bool, ended: Ended) -> Outcome {
    match ended {
        _ if response.has_error => Outcome::Interrupted,
        _ if is_complete || response.is_done => Outcome::Answered,
        Ended::Broken => Outcome::Interrupted,
        Ended::Dropped | Ended::Complete => Outcome::Abandoned,
    }
}
