use std::collections::VecDeque;

use crate::budget::Admission;
use crate::delivery::Retry;
use crate::report::Report;
use crate::spool::SegmentId;
use crate::stats::Settlement;

/// A report on its way, and its place in the budget.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) admission: Admission,
    pub(super) report: Report,
    /// Images that follow the report.
    pub(super) uploads: VecDeque<Report>,
    /// How the first of its parts ended that was not delivered.
    pub(super) failed: Option<Settlement>,
    pub(super) retry: Retry,
    /// The number of its last attempt among those of all reports; zero before the first.
    pub(super) turn: u64,
    /// Where on disk it is, too.
    pub(super) segment: Option<SegmentId>,
    #[cfg(feature = "spool")]
    pub(super) spooled: super::spooler::Spooled,
}

impl Job {
    pub(super) fn new(id: u64, admission: Admission, report: Report, uploads: VecDeque<Report>) -> Self {
        Self {
            id,
            admission,
            report,
            uploads,
            failed: None,
            retry: Retry::default(),
            turn: 0,
            segment: None,
            #[cfg(feature = "spool")]
            spooled: super::spooler::Spooled::now(),
        }
    }

    /// Goes on with the next image, if there is one.
    pub(super) fn next_part(&mut self) -> bool {
        let Some(upload) = self.uploads.pop_front() else { return false };
        self.report = upload;
        self.retry = Retry::default();
        // What was sent is held no longer. It only ever gets less.
        self.recharge();
        true
    }

    /// The bytes of what is left of its parts.
    pub(super) fn len(&self) -> usize {
        self.report.len() + self.uploads.iter().map(Report::len).sum::<usize>()
    }

    /// Charges for what is left of its parts, if there is room.
    pub(super) fn recharge(&mut self) -> bool {
        self.admission.recharge(self.len(), 1 + self.uploads.len())
    }
}
