use std::cell::Cell;
use std::mem;
use std::time::{Instant, SystemTime};

use http::StatusCode;

use super::content::{self, Content, Effort, Reading, Stream, TooMuch};
use super::{images, media};
use crate::config::{Media, Reporting, Responses};
use crate::endpoint::Endpoint;
use crate::exchange::{Answer, Ended, Exchange, Message, Response};
use crate::identity::Omission;
use crate::interaction::{Details, Image, Interaction, InteractionKind, Text};
use crate::outcome::Outcome;
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

/// Why there is no interaction of an exchange.
#[derive(Debug)]
pub(crate) enum Untranslated {
    /// There is nothing to report.
    Settled(Settlement),
    /// Reading it takes more than [`Effort::Try`] has. The exchange is as it was.
    TooMuch,
}

impl From<Settlement> for Untranslated {
    fn from(settlement: Settlement) -> Self {
        Self::Settled(settlement)
    }
}

impl From<TooMuch> for Untranslated {
    fn from(_: TooMuch) -> Self {
        Self::TooMuch
    }
}

/// Makes an interaction of an exchange.
pub(crate) fn translate(
    exchange: &mut Exchange,
    clock: Clock,
    reporting: &Reporting,
    effort: Effort,
) -> Result<Interaction, Untranslated> {
    let charged = Cell::new(0);
    let translated = read_both(exchange, clock, reporting, effort, &charged);
    match translated {
        // What was decoded is gone.
        Err(Untranslated::TooMuch) => exchange.admission.budget().release(charged.get()),
        _ => exchange.admission.own(charged.get()),
    }
    translated
}

fn read_both(
    exchange: &mut Exchange,
    clock: Clock,
    reporting: &Reporting,
    effort: Effort,
    charged: &Cell<usize>,
) -> Result<Interaction, Untranslated> {
    let reading = Reading {
        endpoint: exchange.endpoint,
        budget: exchange.admission.budget(),
        is_translated: reporting.responses == Responses::Chat,
        effort,
        charged,
    };
    if exchange.identity.omission == Omission::Everything {
        return Err(Settlement::Withheld(WithholdReason::OptedOut).into());
    }
    let with_failures = reporting.failures;
    if !exchange.has_room {
        return Err(Settlement::Dropped(DropReason::TooManyBytes).into());
    }
    let mut details = Details {
        endpoint: Some(exchange.endpoint),
        duration: exchange.finished.saturating_duration_since(exchange.started),
        ..Details::default()
    };
    let (response, outcome) = match &mut exchange.answer {
        Answer::None => (content::of_no_response(&reading), Outcome::Abandoned),
        Answer::Failed if with_failures => (
            content::of_error(&reading, "no_response", "The service gave an error instead of a response."),
            Outcome::Failed,
        ),
        Answer::Failed => return Err(Settlement::Withheld(WithholdReason::Failed).into()),
        Answer::Response(response) if !response.status.is_success() && !with_failures => {
            return Err(Settlement::Withheld(WithholdReason::Refused).into());
        }
        Answer::Response(response) => {
            let Response { status, request_id, message } = &mut **response;
            details.status = Some(status.as_u16());
            let read = read(&reading, *status, message)?;
            details.request_id = request_id.clone();
            read
        }
    };
    if let Some(stream) = &response.stream {
        details.is_streamed = true;
        details.chunks = stream.chunks;
        details.first_token = stream.first_token.map(|at| at.saturating_duration_since(exchange.started));
    }
    let request = content::of_request(&reading, &mut exchange.request)?;
    let today = clock.at(exchange.started);
    let (answered, images) = match reporting.media {
        Media::Elide => (response.json, Vec::new()),
        Media::Keep => {
            let detach = || detach_images(exchange.endpoint, response.json, reporting, today);
            reading.limited(detach)?
        }
    };
    details.losses = request.losses.and(response.losses);
    let mut interaction = Interaction {
        kind: match exchange.endpoint {
            Endpoint::Chat => InteractionKind::Chat,
            Endpoint::Completion => InteractionKind::Completion,
            Endpoint::Responses if reading.is_translated => InteractionKind::Chat,
            Endpoint::Responses => InteractionKind::Response,
            Endpoint::ImageGeneration | Endpoint::ImageEdit | Endpoint::ImageVariation => {
                InteractionKind::Image
            }
            Endpoint::Embedding => InteractionKind::Embedding,
            Endpoint::Moderation => InteractionKind::Moderation,
            Endpoint::Speech => InteractionKind::Speech,
            Endpoint::Transcription => InteractionKind::Transcription,
            Endpoint::Translation => InteractionKind::Translation,
        },
        request: request.json.into(),
        response: answered.into(),
        identity: mem::take(&mut exchange.identity),
        requested: clock.at(exchange.started),
        responded: clock.at(exchange.finished),
        outcome,
        details,
        images,
    };
    if interaction.identity.omission == Omission::Content {
        interaction.omit_content();
    }
    Ok(interaction)
}

/// Takes the images out of an answer that are sent by themselves.
fn detach_images(
    endpoint: Endpoint,
    answer: Text,
    reporting: &Reporting,
    today: SystemTime,
) -> (Text, Vec<Image>) {
    let (answer, images) = match endpoint {
        Endpoint::Responses if reporting.images => images::detach_generated(answer.into_raw(), today),
        Endpoint::Responses => (media::elide_generated(answer.into_raw()), Vec::new()),
        endpoint if endpoint.is_image() => images::detach(answer.into_raw(), today),
        _ => return (answer, Vec::new()),
    };
    (Text::Own(answer), images)
}

/// What a response says, and how the exchange ended.
fn read(reading: &Reading, status: StatusCode, message: &mut Message) -> Result<(Content, Outcome), TooMuch> {
    let (is_complete, ended) = (message.is_complete(), message.body.ended);
    let response = content::of_response(reading, message)?;
    if status.is_success() {
        let outcome = outcome(response.stream.as_ref(), is_complete, ended);
        return Ok((response, outcome));
    }
    if response.says_something() {
        return Ok((response, Outcome::Refused));
    }
    let message = format!("The service answered with status {}.", status.as_u16());
    let error = content::of_error(reading, "refused", &message);
    Ok((Content { losses: response.losses, ..error }, Outcome::Refused))
}

/// Clients stop reading a stream at its `[DONE]`: such an answer is whole, however its body ended.
fn outcome(stream: Option<&Stream>, is_complete: bool, ended: Ended) -> Outcome {
    match ended {
        _ if stream.is_some_and(|stream| stream.has_error) => Outcome::Interrupted,
        _ if is_complete || stream.is_some_and(|stream| stream.is_done) => Outcome::Answered,
        Ended::Broken => Outcome::Interrupted,
        Ended::Dropped | Ended::Complete => Outcome::Abandoned,
    }
}
