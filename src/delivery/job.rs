use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use super::Retry;
use crate::budget::Reservation;
use crate::report::Report;
use crate::spool::SegmentId;
use crate::stats::Settlement;

/// A report to be delivered, and its reservation in the budget.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) reservation: Reservation,
    pub(crate) report: Report,
    /// Image uploads that follow the report.
    pub(crate) uploads: VecDeque<Report>,
    /// The first failure among the report and its images.
    pub(crate) failed: Option<Settlement>,
    pub(crate) retry: Retry,
    /// The segment on disk that also holds it.
    pub(crate) segment: Option<SegmentId>,
    /// The creation time by the system clock, the only clock that outlives the process.
    pub(crate) created_ms: u64,
    /// It is too large for any record on disk.
    pub(crate) is_oversized: bool,
    /// Where a caller waits for the settlement. Such a report stays in memory: the caller has it
    /// stored already.
    pub(crate) receipt: Option<oneshot::Sender<Settlement>>,
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
            segment: None,
            created_ms: now_ms(),
            is_oversized: false,
            receipt: None,
        }
    }

    /// Whether it may go to disk.
    pub(crate) fn is_spoolable(&self) -> bool {
        !self.is_oversized && self.receipt.is_none()
    }

    /// Continues with the next image, if there is one.
    pub(crate) fn next_part(&mut self) -> bool {
        let Some(upload) = self.uploads.pop_front() else { return false };
        self.report = upload;
        self.retry = Retry::default();
        // Releases the bytes already sent. A smaller reservation always fits.
        self.resize_reservation();
        true
    }

    /// The number of bytes still to be sent.
    pub(crate) fn len(&self) -> usize {
        self.report.len() + self.uploads.iter().map(Report::len).sum::<usize>()
    }

    /// Resizes the reservation to what is still to be sent. Returns whether there was room.
    pub(crate) fn resize_reservation(&mut self) -> bool {
        let bytes = self.report.held() + self.uploads.iter().map(Report::len).sum::<usize>();
        self.reservation.resize(bytes, 1 + self.uploads.len())
    }
}

/// The system time in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
