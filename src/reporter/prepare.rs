//! From what was captured to a report, with nothing that can stop the worker.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::job::Job;
use crate::budget::Admission;
use crate::config::Reporting;
use crate::exchange::{Answer, Message};
use crate::interaction::Interaction;
use crate::queue::Item;
use crate::report::Report;
use crate::stats::{DropReason, Losses, Settlement};
use crate::translation::{Clock, apply_hooks, translate};

/// Bodies of more than this are read on a thread of their own: that takes milliseconds, up to seconds for hostile ones,
/// and the worker has deadlines to keep.
const LARGE: usize = 64 * 1024;

/// Whether a report may take long to make: the application's hooks may. Of an encoded body nobody knows how long it is: 181
/// bytes of brotli have been seen to become 16 MiB.
pub(super) fn is_heavy(item: &Item, reporting: &Reporting) -> bool {
    let exchange = match item {
        Item::Exchange(exchange) => exchange,
        Item::Interaction(_, interaction) => {
            let bytes = interaction.request.len() + interaction.response.len();
            return bytes > LARGE || !reporting.hooks.is_empty();
        }
    };
    let is_heavy = |message: &Message| message.body.charged > LARGE || !message.head.codings.is_empty();
    !reporting.hooks.is_empty()
        || is_heavy(&exchange.request)
        || matches!(&exchange.answer, Answer::Response(response) if is_heavy(&response.message))
}

/// The place of what makes no report, and how it is to be settled: by the worker, for whom it is there until then.
pub(super) type Unmade = (Admission, Settlement);

/// Makes a report of what was handed over, if there is one to make.
pub(super) fn job(id: u64, item: Item, reporting: &Reporting) -> Result<Job, Unmade> {
    match item {
        Item::Exchange(mut exchange) => {
            let written = guarded(|| {
                let interaction = translate(&mut exchange, Clock::now(), reporting)?;
                write(interaction, reporting)
            });
            job_of(id, exchange.admission, written)
        }
        Item::Interaction(admission, interaction) => {
            let written = guarded(|| write(*interaction, reporting));
            job_of(id, admission, written)
        }
    }
}

/// A report, its images, and what is missing in it.
type Written = (Report, Vec<Report>, Losses);

fn job_of(id: u64, mut admission: Admission, written: Result<Written, Settlement>) -> Result<Job, Unmade> {
    let settlement = match written {
        Ok((report, uploads, losses)) => {
            let mut job = Job::new(id, admission, report, uploads.into());
            if job.recharge() {
                job.admission.budget().counters().lose(losses);
                return Ok(job);
            }
            admission = job.admission;
            Settlement::Dropped(DropReason::TooManyBytes)
        }
        Err(settlement) => settlement,
    };
    Err((admission, settlement))
}

fn write(interaction: Interaction, reporting: &Reporting) -> Result<Written, Settlement> {
    let interaction = &apply_hooks(interaction, reporting)?;
    // Serialising raw JSON into memory fails in no way that is known.
    let losses = interaction.details.losses;
    let written = Report::new(interaction, reporting)
        .and_then(|report| Ok((report, Report::uploads(interaction)?, losses)));
    written.map_err(|_| Settlement::Dropped(DropReason::Panicked))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Settlement>) -> Result<T, Settlement> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Settlement::Dropped(DropReason::Panicked)))
}
