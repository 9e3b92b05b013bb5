use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Retry;
use crate::budget::Reservation;
use crate::report::Report;
use crate::spool::SegmentId;
use crate::stats::Settlement;

/// A report on its way, and its place in the budget.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) reservation: Reservation,
    pub(crate) report: Report,
    /// Images that follow the report.
    pub(crate) uploads: VecDeque<Report>,
    /// How the first of its parts ended that was not delivered.
    pub(crate) failed: Option<Settlement>,
    pub(crate) retry: Retry,
    /// The number of its last attempt among those of all reports; zero before the first.
    pub(crate) turn: u64,
    /// Where on disk it is, too.
    pub(crate) segment: Option<SegmentId>,
    pub(crate) spooled: Spooled,
}

/// What the spool needs to know of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spooled {
    /// When it was made, by the clock on the wall: no other one outlives the process.
    pub(crate) created_ms: u64,
    /// No record can hold it.
    pub(crate) is_oversized: bool,
}

impl Spooled {
    pub(crate) fn now() -> Self {
        Self { created_ms: now_ms(), is_oversized: false }
    }
}

impl Job {
    pub(crate) fn new(id: u64, reservation: Reservation, report: Report, uploads: VecDeque<Report>) -> Self {
        Self {
            id,
            reservation,
            report,
            uploads,
            failed: None,
            retry: Retry::default(),
            turn: 0,
            segment: None,
            spooled: Spooled::now(),
        }
    }

    /// Goes on with the next image, if there is one.
    pub(crate) fn next_part(&mut self) -> bool {
        let Some(upload) = self.uploads.pop_front() else { return false };
        self.report = upload;
        self.retry = Retry::default();
        // What was sent is held no longer. It only ever gets less.
        self.recharge();
        true
    }

    /// The bytes of what is left of its parts.
    pub(crate) fn len(&self) -> usize {
        self.report.len() + self.uploads.iter().map(Report::len).sum::<usize>()
    }

    /// Charges for what is left of its parts, if there is room.
    pub(crate) fn recharge(&mut self) -> bool {
        self.reservation.resize(self.len(), 1 + self.uploads.len())
    }
}

/// The time of day in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
