//! From what was captured to a report, with nothing that can stop the worker.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::budget::Admission;
use crate::delivery::Retry;
use crate::exchange::Exchange;
use crate::interaction::{Clock, Interaction, translate};
use crate::report::Report;
use crate::stats::{DropReason, Settlement};

/// A report on its way, and its place in the budget.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) admission: Admission,
    pub(super) report: Report,
    pub(super) retry: Retry,
}

/// Makes a report of an exchange; says how it was settled, if there is none to make.
pub(super) fn exchange(
    id: u64,
    mut exchange: Exchange,
    session_timeout: Option<u32>,
) -> Result<Job, Settlement> {
    let report = guarded(|| {
        let interaction = translate(&mut exchange, Clock::now())?;
        write(&interaction, session_timeout)
    });
    job(id, exchange.admission, report)
}

/// Makes a report of what was reported by hand.
pub(super) fn interaction(
    id: u64,
    admission: Admission,
    interaction: &Interaction,
    session_timeout: Option<u32>,
) -> Result<Job, Settlement> {
    job(id, admission, guarded(|| write(interaction, session_timeout)))
}

fn job(id: u64, mut admission: Admission, report: Result<Report, Settlement>) -> Result<Job, Settlement> {
    match report {
        Ok(report) => {
            admission.recharge(report.json().len());
            Ok(Job { id, admission, report, retry: Retry::default() })
        }
        Err(settlement) => {
            admission.settle(settlement);
            Err(settlement)
        }
    }
}

fn write(interaction: &Interaction, session_timeout: Option<u32>) -> Result<Report, Settlement> {
    // Serialising raw JSON into memory fails in no way that is known.
    Report::new(interaction, session_timeout).map_err(|_| Settlement::Dropped(DropReason::Panicked))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Settlement>) -> Result<T, Settlement> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Settlement::Dropped(DropReason::Panicked)))
}
