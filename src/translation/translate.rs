use std::cell::Cell;
use std::mem;
use std::time::{Instant, SystemTime};

use http::StatusCode;

use super::body::{self, ReportedBody};
use super::context::BodyContext;
use super::effort::{Effort, TooMuch};
use super::enveloped::Bodies;
use super::untranslated::Untranslated;
use crate::config::{Media, ReportOptions, Responses};
use crate::exchange::{BodyEnd, CallResult, Exchange, RecordedMessage, Response};
use crate::identity::OptOut;
use crate::interaction::Outcome;
use crate::interaction::{Details, Interaction, Text};
use crate::provider::DetachedImage;
use crate::provider::operation::Operation;
use crate::provider::stream::Progress;
use crate::stats::{DropReason, Settlement, WithholdReason};

/// Converts monotonic times, taken on the callers' tasks, to the time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    now: Instant,
    today: SystemTime,
}

impl WallClock {
    pub(crate) fn now() -> Self {
        Self { now: Instant::now(), today: SystemTime::now() }
    }

    fn at(&self, moment: Instant) -> SystemTime {
        let ago = self.now.saturating_duration_since(moment);
        self.today.checked_sub(ago).unwrap_or(self.today)
    }
}

/// Translates an exchange into an interaction.
///
/// Decoded bodies are charged to the budget. The caller must settle that charge in every case.
pub(crate) fn translate(
    exchange: &mut Exchange,
    clock: WallClock,
    reporting: &ReportOptions,
    effort: Effort,
    charged: &Cell<usize>,
) -> Result<Interaction, Untranslated> {
    let mut reading = BodyContext {
        operation: exchange.operation,
        budget: exchange.reservation.budget(),
        converts: reporting.responses == Responses::Chat,
        effort,
        charged,
    };
    if exchange.identity.opt_out == OptOut::Everything {
        return Err(Settlement::Withheld(WithholdReason::OptedOut).into());
    }
    if !exchange.has_room {
        return Err(Settlement::Dropped(DropReason::TooManyBytes).into());
    }
    match &exchange.result {
        _ if reporting.failures => {}
        CallResult::Failed => return Err(Settlement::Withheld(WithholdReason::Failed).into()),
        CallResult::Response(response) if !response.status.is_success() => {
            return Err(Settlement::Withheld(WithholdReason::Refused).into());
        }
        CallResult::Response(_) | CallResult::Cancelled => {}
    }
    let request = body::of_request(&reading, &mut exchange.request)?;
    if let Some(reclassify) = reading.operation.spec().reclassify.filter(|_| request.is_sent) {
        reading.operation = reclassify(request.json.get());
    }
    let mut details = Details {
        operation: Some(reading.operation),
        duration: exchange.finished.saturating_duration_since(exchange.started),
        ..Details::default()
    };
    let (mut response, outcome) = match &mut exchange.result {
        CallResult::Cancelled => (body::of_no_response(&reading), Outcome::Abandoned),
        CallResult::Failed => (
            body::of_error(&reading, "no_response", "The service gave an error instead of a response."),
            Outcome::Failed,
        ),
        CallResult::Response(response) => {
            let Response { status, request_id, message } = &mut **response;
            details.status = Some(status.as_u16());
            let read = read(&reading, *status, message)?;
            details.request_id = request_id.clone();
            read
        }
    };
    if let Some(stream) = &response.stream {
        details.is_streamed = true;
        details.chunks = stream.progress.chunks;
        details.first_token = stream.first_token.map(|at| at.saturating_duration_since(exchange.started));
    }
    let today = clock.at(exchange.started);
    let (answered, images) = match reporting.media {
        Media::Elide => (response.json, Vec::new()),
        // Unread bodies contain no images.
        Media::Keep if effort == Effort::Unread => (response.json, Vec::new()),
        Media::Keep => {
            let detach = || detach_images(reading.operation, response.json, reporting, today);
            match reading.limited(detach)? {
                Some(detached) => detached,
                None => {
                    response.losses.is_unread = true;
                    (body::of_unread_response(&reading, &exchange.result).json, Vec::new())
                }
            }
        }
    };
    let spec = reading.operation.spec();
    let losses = request.losses.and(response.losses);
    let mut bodies = Bodies { request: request.json, response: answered, kind: None, losses };
    if let Some(envelope) = spec.envelope {
        bodies = bodies.enveloped(envelope, &reading, exchange, details.request_id.as_deref())?;
    }
    let Bodies { request, response, kind, losses } = bodies;
    details.losses = losses;
    let kind_of_row = reading.convert().map_or(spec.kind, |convert| convert.kind);
    let mut interaction = Interaction {
        provider: spec.provider,
        kind: kind.unwrap_or(kind_of_row),
        request: request.into(),
        response: response.into(),
        identity: mem::take(&mut exchange.identity),
        requested: clock.at(exchange.started),
        responded: clock.at(exchange.finished),
        outcome,
        details,
        images,
    };
    if interaction.identity.opt_out == OptOut::Content {
        interaction.omit_content();
    }
    Ok(interaction)
}

/// Detaches the images from a response, or elides them if images are not tracked.
fn detach_images(
    operation: Operation,
    answer: Text,
    reporting: &ReportOptions,
    today: SystemTime,
) -> (Text, Vec<DetachedImage>) {
    match operation.spec().images {
        Some(images) if (images.may_hold)(answer.bytes()) => {
            let (answer, images) = match reporting.images {
                true => (images.detach)(answer.into_raw(), today),
                false => ((images.elide)(answer.into_raw()), Vec::new()),
            };
            (Text::Own(answer), images)
        }
        _ => (answer, Vec::new()),
    }
}

/// Reads a response and determines the outcome of the exchange.
fn read(
    reading: &BodyContext,
    status: StatusCode,
    message: &mut RecordedMessage,
) -> Result<(ReportedBody, Outcome), TooMuch> {
    let (is_complete, ended) = (message.is_complete(), message.body.ended);
    let response = body::of_response(reading, message)?;
    if status.is_success() {
        let outcome = match &response.stream {
            Some(stream) => {
                outcome_of_stream(stream.progress, response.losses.is_truncated, is_complete, ended)
            }
            None if response.is_error => Outcome::Refused,
            None => outcome(is_complete, ended),
        };
        return Ok((response, outcome));
    }
    if reading.limited(|| response.has_content())?.unwrap_or_default() {
        return Ok((response, Outcome::Refused));
    }
    let message = format!("The service answered with status {}.", status.as_u16());
    let error = body::of_error(reading, "refused", &message);
    Ok((ReportedBody { losses: response.losses, ..error }, Outcome::Refused))
}

fn outcome(is_complete: bool, ended: BodyEnd) -> Outcome {
    match ended {
        _ if is_complete => Outcome::Answered,
        BodyEnd::Broken => Outcome::Interrupted,
        BodyEnd::Dropped | BodyEnd::Complete => Outcome::Abandoned,
    }
}

/// The events of a stream decide its outcome: a proxy that times out ends the body normally, and
/// clients stop reading at the terminal event.
fn outcome_of_stream(stream: Progress, is_truncated: bool, is_complete: bool, ended: BodyEnd) -> Outcome {
    match outcome(is_complete, ended) {
        _ if stream.has_error => Outcome::Interrupted,
        _ if stream.is_done => Outcome::Answered,
        Outcome::Abandoned if stream.is_finished => Outcome::Answered,
        // The end of a truncated stream was not recorded.
        Outcome::Answered if !stream.is_finished && !is_truncated => Outcome::Interrupted,
        outcome => outcome,
    }
}
