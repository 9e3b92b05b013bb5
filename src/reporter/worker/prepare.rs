//! Turns an exchange into a report, without a panic that could end the worker.

use std::cell::Cell;

use crate::budget::{Budget, Reservation};
use crate::config::ReportOptions;
use crate::delivery::job::Job;
use crate::exchange::{CallResult, Exchange};
use crate::handoff::QueueItem;
use crate::interaction::{Interaction, Outcome};
use crate::names::LOG;
use crate::policy::apply_hooks;
use crate::provider::operation::Operation;
use crate::report::{Report, ReporterCounts};
use crate::stats::{DropReason, Losses, Settlement};
use crate::translation::{Effort, Untranslated, WallClock, translate};
use crate::unwind::guarded;

/// Larger bodies are read on another thread: copying alone takes a fraction of a millisecond, and
/// the worker has deadlines to meet.
const LARGE: usize = 1024 * 1024;

/// The reservation of an interaction without a report, and its settlement. The worker settles it,
/// and counts it as held until then.
pub(crate) type Unmade = (Reservation, Settlement);

/// The result of preparing an item.
pub(crate) enum Prepared {
    Done(Result<Job, Unmade>),
    /// The application's hooks have to be called.
    Hooks(Reservation, Box<Interaction>),
    /// Reading the item would take too long on the worker's own thread.
    TooMuch(QueueItem),
    /// The work panicked. The item was dropped, which settled it.
    Lost,
}

/// The number of bytes of bodies in an item.
pub(crate) fn size(item: &QueueItem) -> usize {
    match item {
        QueueItem::Exchange(Exchange { request, result, .. }) => {
            let response = match result {
                CallResult::Response(response) => response.message.body.len(),
                CallResult::Cancelled | CallResult::Failed => 0,
            };
            request.body.len() + response
        }
        QueueItem::Interaction(_, interaction) => interaction.request.len() + interaction.response.len(),
    }
}

/// Makes a report of an item, unless it is withheld or fails.
pub(crate) fn job(id: u64, item: QueueItem, reporting: &ReportOptions, effort: Effort) -> Prepared {
    if effort == Effort::Try && size(&item) > LARGE {
        return Prepared::TooMuch(item);
    }
    let (reservation, interaction) = match item {
        QueueItem::Exchange(mut exchange) => {
            let charged = Cell::new(0);
            let read = settled(|| translate(&mut exchange, WallClock::now(), reporting, effort, &charged));
            match read {
                // The decoded bodies have been dropped.
                Err(Untranslated::TooMuch) => exchange.reservation.budget().release(charged.get()),
                _ => exchange.reservation.adopt(charged.get()),
            }
            match read {
                Ok(interaction) => (exchange.reservation, Box::new(interaction)),
                Err(Untranslated::TooMuch) => return Prepared::TooMuch(QueueItem::Exchange(exchange)),
                Err(Untranslated::Settled(settlement)) => {
                    return Prepared::Done(Err((exchange.reservation, settlement)));
                }
            }
        }
        QueueItem::Interaction(reservation, interaction) => (reservation, interaction),
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
    let settlement = match settled(|| report(*interaction, reporting, reservation.budget())) {
        Ok((report, uploads, losses)) => {
            let mut job = Job::new(id, reservation, report, uploads.into());
            if job.resize_reservation() {
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

fn log(report: &Report, interaction: &Interaction) {
    tracing::debug!(
        target: LOG,
        id = %report.id(),
        operation = report.operation().map(Operation::as_str),
        outcome = report.outcome().map(Outcome::as_str),
        status = interaction.details.status,
        duration_ms = u64::try_from(interaction.details.duration.as_millis()).unwrap_or(u64::MAX),
        "a report was made"
    );
}

/// A report, its images, and the content it lacks.
type Written = (Report, Vec<Report>, Losses);

fn report(
    interaction: Interaction,
    reporting: &ReportOptions,
    budget: &Budget,
) -> Result<Written, Settlement> {
    let interaction = &apply_hooks(interaction, reporting)?;
    // There is no known way for serialising raw JSON into memory to fail.
    let losses = interaction.details.losses;
    let counts = || {
        let stats = budget.stats();
        let (dropped, withheld) = (stats.dropped_total(), stats.withheld_total());
        ReporterCounts { process: budget.id(), captured: stats.captured, dropped, withheld }
    };
    let written = Report::new(interaction, reporting, counts)
        .inspect(|report| log(report, interaction))
        .and_then(|report| Ok((report, Report::uploads(interaction)?, losses)));
    written.map_err(|_| Settlement::Dropped(DropReason::Panicked))
}

/// Runs work that drops the interaction if it panics.
fn settled<T, E: From<Settlement>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    guarded(work).unwrap_or(Err(Settlement::Dropped(DropReason::Panicked).into()))
}
