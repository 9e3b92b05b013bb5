//! Adds the parts of an exchange outside of its bodies, such as the model in the path.

use super::body;
use super::context::BodyContext;
use super::effort::{Effort, TooMuch};
use super::untranslated::Untranslated;
use crate::codec::allowance::Allowance;
use crate::exchange::Exchange;
use crate::interaction::Text;
use crate::provider::{Envelope, Enveloped, InteractionKind, RequestTarget};
use crate::stats::{DropReason, Losses, Settlement};

/// The bodies of an exchange, and the type if the request decides it.
pub(super) struct Bodies {
    pub(super) request: Text,
    pub(super) response: Text,
    pub(super) kind: Option<InteractionKind>,
    pub(super) losses: Losses,
}

impl Bodies {
    /// Puts both bodies in their envelopes. A body that is too expensive to read is replaced by its
    /// type and length.
    pub(super) fn enveloped(
        self,
        envelope: Envelope,
        reading: &BodyContext,
        exchange: &Exchange,
        request_id: Option<&str>,
    ) -> Result<Self, Untranslated> {
        let Self { request, response, kind: _, mut losses } = self;
        // The copies are held beside the recorded bodies.
        if !reading.charge(request.bytes().len() + response.bytes().len()) {
            return Err(Settlement::Dropped(DropReason::TooManyBytes).into());
        }
        let no_target = RequestTarget::default();
        let target = exchange.target.as_deref().unwrap_or(&no_target);
        let Enveloped { json, kind } = match limited(reading, || (envelope.request)(&request.raw(), target))?
        {
            Some(enveloped) => enveloped,
            None => {
                losses.is_unread = true;
                (envelope.request)(&body::of_unread_request(reading, exchange).json.raw(), target)
            }
        };
        let request = Text::of_json(json);
        let Some(enclose) = envelope.response else {
            return Ok(Self { request, response, kind, losses });
        };
        let json = match limited(reading, || enclose(&response.raw(), request_id))? {
            Some(json) => json,
            None => {
                losses.is_unread = true;
                enclose(&body::of_unread_response(reading, &exchange.result).json.raw(), request_id)
            }
        };
        Ok(Self { request, response: Text::of_json(json), kind, losses })
    }
}

/// Does some work within the allowance. `None` if the allowance was not enough. Under
/// `Effort::Unread` the bodies are already replaced by short ones, so the small allowance is enough.
fn limited<T>(reading: &BodyContext, work: impl FnOnce() -> T) -> Result<Option<T>, TooMuch> {
    match reading.effort {
        Effort::Unread => Ok(Some(Allowance::SMALL.within(work).0)),
        Effort::Try | Effort::Full => reading.limited(work),
    }
}
