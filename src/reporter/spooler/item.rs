//! A job as an item on disk, and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::budget::Budget;
use crate::delivery::spool::Item;
use crate::delivery::{Retry, SegmentId};
use crate::report::Report;
use crate::reporter::job::Job;
use crate::stats::{DropReason, Settlement};

/// The bits of an item's flags that say how the first of its parts ended that was not delivered.
const REJECTED: u8 = 1;
const UNDELIVERED: u8 = 2;

/// The other six hold how often it was tried, as far as they go.
const ATTEMPTS: u32 = 2;

/// What the spool needs to know of a job.
#[derive(Clone, Copy, Debug)]
pub(in crate::reporter) struct Spooled {
    /// When it was made, by the clock on the wall: no other one outlives the process.
    created_ms: u64,
    /// No record can hold it.
    pub(in crate::reporter) is_unfit: bool,
}

impl Spooled {
    pub(in crate::reporter) fn now() -> Self {
        Self { created_ms: now_ms(), is_unfit: false }
    }
}

impl Job {
    pub(in crate::reporter) fn to_item(&self) -> Item {
        let failed = match self.failed {
            None => 0,
            Some(Settlement::Rejected) => REJECTED,
            Some(_) => UNDELIVERED,
        };
        let attempts = u8::try_from(self.retry.attempts()).unwrap_or(u8::MAX).min(u8::MAX >> ATTEMPTS);
        Item {
            created_ms: self.spooled.created_ms,
            flags: failed | attempts << ATTEMPTS,
            reports: std::iter::once(&self.report).chain(&self.uploads).cloned().collect(),
        }
    }

    /// `None` for an item without a report, which no spool gives.
    pub(in crate::reporter) fn from_item(
        id: u64,
        item: Item,
        segment: SegmentId,
        budget: &Arc<Budget>,
        is_foreign: bool,
    ) -> Option<Self> {
        let Item { created_ms, flags, reports } = item;
        let bytes = reports.iter().map(Report::len).sum();
        let mut reports = reports.into_iter();
        let mut job = Self::new(id, budget.resume(is_foreign, bytes), reports.next()?, reports.collect());
        job.failed = match flags & (REJECTED | UNDELIVERED) {
            0 => None,
            REJECTED => Some(Settlement::Rejected),
            _ => Some(Settlement::Dropped(DropReason::Undelivered)),
        };
        // A clock that was put back makes nothing older.
        let age = Duration::from_millis(now_ms().saturating_sub(created_ms));
        job.retry = Retry::resumed((flags >> ATTEMPTS).into(), age);
        job.segment = Some(segment);
        job.spooled.created_ms = created_ms;
        Some(job)
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
