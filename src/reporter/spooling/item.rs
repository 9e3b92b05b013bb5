//! Conversion between a job and an item on disk.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::delivery::Retry;
use crate::delivery::job::{Job, now_ms};
use crate::report::Report;
use crate::spool::SegmentId;
use crate::spool::SpooledItem;
use crate::stats::{DropReason, Settlement};

/// Two bits of an item's flags: the failure of its first report or upload that was not delivered.
const REJECTED: u8 = 1;
const UNDELIVERED: u8 = 2;

/// The other six bits hold the number of attempts, saturating.
const ATTEMPTS: u32 = 2;

impl Job {
    pub(crate) fn to_item(&self) -> SpooledItem {
        let failed = match self.failed {
            None => 0,
            Some(Settlement::Rejected) => REJECTED,
            Some(_) => UNDELIVERED,
        };
        let attempts = u8::try_from(self.retry.attempts()).unwrap_or(u8::MAX).min(u8::MAX >> ATTEMPTS);
        SpooledItem {
            created_ms: self.created_ms,
            flags: failed | attempts << ATTEMPTS,
            reports: std::iter::once(&self.report).chain(&self.uploads).cloned().collect(),
        }
    }

    /// Returns `None` for an item without a report; the spool never yields one.
    pub(crate) fn from_item(
        id: u64,
        item: SpooledItem,
        segment: SegmentId,
        budget: &Arc<Budget>,
        is_foreign: bool,
    ) -> Option<Self> {
        let SpooledItem { created_ms, flags, reports } = item;
        let bytes = reports.iter().map(Report::len).sum();
        let mut reports = reports.into_iter();
        let mut job = Self::new(id, budget.resume(is_foreign, bytes), reports.next()?, reports.collect());
        job.failed = match flags & (REJECTED | UNDELIVERED) {
            0 => None,
            REJECTED => Some(Settlement::Rejected),
            _ => Some(Settlement::Dropped(DropReason::Undelivered)),
        };
        // If the system clock was set back, the age is zero.
        let age = Duration::from_millis(now_ms().saturating_sub(created_ms));
        job.retry = Retry::resumed((flags >> ATTEMPTS).into(), age);
        job.segment = Some(segment);
        job.created_ms = created_ms;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::time::Instant;

    use super::*;
    use crate::config::{Config, RetryLimits};
    use crate::delivery::GiveUpReason;
    use crate::interaction::{Interaction, InteractionKind};
    use crate::stats::FailureClass;

    const HOUR: u64 = 3_600_000;

    fn job() -> (Arc<Budget>, Job) {
        let config = Config::builder("app", "key").build().unwrap();
        let budget = Arc::new(Budget::new(config.limits));
        let interaction = Interaction::new(InteractionKind::Chat, &1, &2).unwrap();
        let report = Report::new(&interaction, &config.reporting, Default::default).unwrap();
        let reservation = budget.admit().unwrap();
        (budget, Job::new(1, reservation, report, VecDeque::new()))
    }

    /// Restores a report from disk with the given creation time, and fails it once more.
    fn failed_again(age: impl FnOnce(u64) -> u64) -> Result<Duration, GiveUpReason> {
        let (budget, job) = job();
        let mut item = job.to_item();
        item.created_ms = age(item.created_ms);
        let mut job = Job::from_item(2, item, SegmentId::default(), &budget, true).unwrap();
        let now = Instant::now();
        job.retry.begin(now);
        let retry_limits = RetryLimits { attempts: 9, age: Duration::from_secs(3_600) };
        job.retry.fail(now, FailureClass::Unavailable, true, 1.0, retry_limits)
    }

    #[test]
    fn age_outlives_the_process_and_a_clock_that_goes_back_makes_nothing_old() {
        assert_eq!(failed_again(|now| now - HOUR / 2), Ok(Duration::from_millis(500)));
        assert_eq!(failed_again(|now| now - HOUR), Err(GiveUpReason::Age));
        assert_eq!(failed_again(|now| now + HOUR), Ok(Duration::from_millis(500)));
        assert_eq!(failed_again(|_| u64::MAX), Ok(Duration::from_millis(500)));
        assert_eq!(failed_again(|_| 0), Err(GiveUpReason::Age));
    }

    #[test]
    fn attempts_and_failed_parts_outlive_the_process() {
        let (budget, mut job) = job();
        let now = Instant::now();
        let retry_limits = RetryLimits { attempts: 100, age: Duration::MAX };
        for attempts in 1..=70 {
            job.retry.begin(now);
            job.retry.fail(now, FailureClass::Unavailable, true, 1.0, retry_limits).unwrap();
            job.failed =
                [None, Some(Settlement::Rejected), Some(Settlement::Dropped(DropReason::Undelivered))]
                    [attempts % 3];
            let again = Job::from_item(2, job.to_item(), SegmentId::default(), &budget, true).unwrap();
            assert_eq!(again.retry.attempts() as usize, attempts.min(63), "as far as they go");
            assert_eq!((again.failed, again.report.id()), (job.failed, job.report.id()));
        }
    }

    #[test]
    fn every_report_that_is_made_can_be_read_again() {
        let config = Config::builder("app", "key").build().unwrap();
        let kinds = [
            InteractionKind::Chat,
            InteractionKind::Completion,
            InteractionKind::Assistant,
            InteractionKind::Image,
            InteractionKind::Embedding,
            InteractionKind::Moderation,
            InteractionKind::Speech,
            InteractionKind::Transcription,
            InteractionKind::Translation,
            InteractionKind::Response,
        ];
        for kind in kinds {
            let interaction = Interaction::new(kind, &"}", &serde_json::json!({"reconify": {}})).unwrap();
            let made = Report::new(&interaction, &config.reporting, Default::default).unwrap();
            let again = Report::restore(made.id(), made.bytes(), made.keys_at(), false).unwrap();
            assert_eq!((again.json(), again.around_keys()), (made.json(), made.around_keys()));
        }
    }
}
