//! The retry policy of one report: a value without a clock or I/O.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::RetryLimits;
use crate::stats::FailureClass;

/// The upper bound of the first pause. It doubles with each further pause.
const BASE: Duration = Duration::from_millis(500);

/// The longest pause, so that each report notices a recovery within a minute.
const CAP: Duration = Duration::from_secs(60);

/// The first pause between attempts while the keys are refused. It doubles, up to a minute, so that
/// new keys take effect within a minute.
const KEYS_BASE: Duration = Duration::from_secs(5);

/// The attempts made for one report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retry {
    /// Attempts that count towards the limit.
    attempts: u32,
    failures: u32,
    first: Option<Instant>,
    /// The age of the report when it was loaded from disk.
    before: Duration,
}

/// Why a report is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiveUpReason {
    Attempts,
    Age,
}

impl Retry {
    /// The state of a report loaded from disk.
    pub(crate) fn resumed(attempts: u32, age: Duration) -> Self {
        Self { attempts, failures: attempts, first: None, before: age }
    }

    /// Attempts that count towards the limit.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Records the start of an attempt. Returns whether it is a retry.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        self.first.get_or_insert(now);
        self.failures > 0
    }

    /// Records a failed attempt and returns the pause before the next one. An attempt does not
    /// count (`counts_as_attempt`) if its failure is not evidence against this report. `random` is
    /// in `0.0..1.0`.
    pub(crate) fn fail(
        &mut self,
        now: Instant,
        class: FailureClass,
        counts_as_attempt: bool,
        random: f64,
        retry_limits: RetryLimits,
    ) -> Result<Duration, GiveUpReason> {
        self.failures = self.failures.saturating_add(1);
        self.attempts = self.attempts.saturating_add(counts_as_attempt.into());
        let tried = self.first.map(|first| now.saturating_duration_since(first)).unwrap_or_default();
        let age = self.before.saturating_add(tried);
        if counts_as_attempt && self.attempts >= retry_limits.attempts {
            return Err(GiveUpReason::Attempts);
        }
        if age >= retry_limits.age {
            return Err(GiveUpReason::Age);
        }
        Ok(pause(class, self.failures, random))
    }
}

/// The pause after the given number of failures, which is at least one. Pauses are drawn evenly
/// from zero to their upper bound (full jitter), so that many reports do not return at once. Pauses
/// for refused keys have no jitter, because a single report probes for all.
pub(crate) fn pause(class: FailureClass, failures: u32, random: f64) -> Duration {
    let longest = |base| doubled(base, failures.saturating_sub(1));
    let part = if (0.0..=1.0).contains(&random) { random } else { 1.0 };
    match class {
        FailureClass::Unauthorized => longest(KEYS_BASE),
        _ => longest(BASE).mul_f64(part),
    }
}

/// A pause that doubles this many times, up to a minute.
pub(crate) fn doubled(base: Duration, doublings: u32) -> Duration {
    base.saturating_mul(1 << doublings.min(16)).min(CAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: RetryLimits = RetryLimits { attempts: 10, age: Duration::from_secs(1_000) };

    fn pauses(
        class: FailureClass,
        counts_as_attempt: bool,
        random: f64,
        retry_limits: RetryLimits,
    ) -> Vec<u128> {
        let mut now = Instant::now();
        let mut retry = Retry::default();
        let next = || {
            retry.begin(now);
            let pause = retry.fail(now, class, counts_as_attempt, random, retry_limits).ok()?;
            now += pause;
            Some(pause.as_millis())
        };
        std::iter::from_fn(next).take(100).collect()
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_end_with_the_attempts() {
        let pauses = pauses(FailureClass::Unavailable, true, 1.0, PATIENCE);
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn pauses_are_drawn_from_zero_to_their_longest() {
        assert_eq!(pauses(FailureClass::Unavailable, true, 0.5, PATIENCE)[..3], [250, 500, 1_000]);
        assert_eq!(pauses(FailureClass::Unavailable, true, 0.0, PATIENCE), [0; 9]);
    }

    #[test]
    fn keys_that_are_not_accepted_are_tried_every_five_seconds_doubling_to_a_minute() {
        let pauses = pauses(FailureClass::Unauthorized, true, 0.3, PATIENCE);
        assert_eq!(pauses[..6], [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    }

    #[test]
    fn failures_that_do_not_count_end_with_the_age() {
        let pauses = pauses(FailureClass::Unavailable, false, 1.0, PATIENCE);
        // 63.5 s up to the eighth attempt, then one attempt a minute until 1,000 seconds have
        // passed.
        assert_eq!(pauses.len(), 7 + 16);
        let mut retry = Retry::default();
        let now = Instant::now();
        retry.begin(now);
        let later = now + PATIENCE.age;
        assert_eq!(
            retry.fail(later, FailureClass::Unavailable, false, 0.0, PATIENCE),
            Err(GiveUpReason::Age)
        );
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let now = Instant::now();
        let retry_limits = RetryLimits { attempts: u32::MAX, age: Duration::MAX };
        let fail = |attempts, before| {
            let mut retry = Retry { attempts, failures: u32::MAX, first: Some(now), before };
            let later = now + Duration::from_secs(1);
            retry.fail(later, FailureClass::Unavailable, true, f64::NAN, retry_limits)
        };
        assert!(fail(1, Duration::ZERO).is_ok_and(|pause| pause <= CAP));
        assert_eq!(fail(u32::MAX, Duration::ZERO), Err(GiveUpReason::Attempts));
        assert_eq!(fail(1, Duration::MAX), Err(GiveUpReason::Age));
    }
}
