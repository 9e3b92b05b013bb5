//! From what was captured to a report, with nothing that can stop the worker.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::budget::Reservation;
use crate::config::ReportOptions;
use crate::delivery::job::Job;
use crate::exchange::{Answer, Exchange};
use crate::handoff::Item;
use crate::interaction::Interaction;
use crate::policy::apply_hooks;
use crate::report::Report;
use crate::stats::{DropReason, Losses, Settlement};
use crate::translation::{Clock, Effort, Untranslated, translate};

/// Bodies of more than this are read on a thread of their own: copying alone takes a part of a millisecond, and the worker has
/// deadlines to keep.
const LARGE: usize = 1024 * 1024;

/// The place of what makes no report, and how it is to be settled: by the worker, for whom it is there until then.
pub(crate) type Unmade = (Reservation, Settlement);

/// What became of an item.
pub(crate) enum Prepared {
    Done(Result<Job, Unmade>),
    /// The application's hooks have to be asked.
    Hooks(Reservation, Box<Interaction>),
    /// Reading it takes more than the worker's own thread has time for.
    TooMuch(Item),
}

/// How many bytes of bodies an item holds.
pub(crate) fn size(item: &Item) -> usize {
    match item {
        Item::Exchange(Exchange { request, answer, .. }) => {
            let answer = match answer {
                Answer::Response(response) => response.message.body.len(),
                Answer::None | Answer::Failed => 0,
            };
            request.body.len() + answer
        }
        Item::Interaction(_, interaction) => interaction.request.len() + interaction.response.len(),
    }
}

/// Makes a report of what was handed over, if there is one to make.
pub(crate) fn job(id: u64, item: Item, reporting: &ReportOptions, effort: Effort) -> Prepared {
    if effort == Effort::Try && size(&item) > LARGE {
        return Prepared::TooMuch(item);
    }
    let (reservation, interaction) = match item {
        Item::Exchange(mut exchange) => {
            let charged = Cell::new(0);
            let read = guarded(|| translate(&mut exchange, Clock::now(), reporting, effort, &charged));
            match read {
                // What was decoded is gone.
                Err(Untranslated::TooMuch) => exchange.reservation.budget().release(charged.get()),
                _ => exchange.reservation.adopt(charged.get()),
            }
            match read {
                Ok(interaction) => (exchange.reservation, Box::new(interaction)),
                Err(Untranslated::TooMuch) => return Prepared::TooMuch(Item::Exchange(exchange)),
                Err(Untranslated::Settled(settlement)) => {
                    return Prepared::Done(Err((exchange.reservation, settlement)));
                }
            }
        }
        Item::Interaction(reservation, interaction) => (reservation, interaction),
    };
    match reporting.hooks.is_empty() {
        true => Prepared::Done(write(id, reservation, interaction, reporting)),
        false => Prepared::Hooks(reservation, interaction),
    }
}

/// Applies the application's settings and hooks to an interaction, and makes a report of it.
pub(crate) fn write(
    id: u64,
    mut reservation: Reservation,
    interaction: Box<Interaction>,
    reporting: &ReportOptions,
) -> Result<Job, Unmade> {
    let settlement = match guarded(|| report(*interaction, reporting)) {
        Ok((report, uploads, losses)) => {
            let mut job = Job::new(id, reservation, report, uploads.into());
            if job.recharge() {
                job.reservation.budget().counters().lose(losses);
                return Ok(job);
            }
            reservation = job.reservation;
            Settlement::Dropped(DropReason::TooManyBytes)
        }
        Err(settlement) => settlement,
    };
    Err((reservation, settlement))
}

/// A report, its images, and what is missing in it.
type Written = (Report, Vec<Report>, Losses);

fn report(interaction: Interaction, reporting: &ReportOptions) -> Result<Written, Settlement> {
    let interaction = &apply_hooks(interaction, reporting)?;
    // Serialising raw JSON into memory fails in no way that is known.
    let losses = interaction.details.losses;
    let written = Report::new(interaction, reporting)
        .and_then(|report| Ok((report, Report::uploads(interaction)?, losses)));
    written.map_err(|_| Settlement::Dropped(DropReason::Panicked))
}

fn guarded<T, E: From<Settlement>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Settlement::Dropped(DropReason::Panicked).into()))
}
