//! When to try again: a value without clock or I/O.

use std::time::Duration;

use super::error::DeliveryError;

/// The first pause, at the most; the next ones double.
const BASE: Duration = Duration::from_millis(500);

/// The longest pause: an hour's outage costs a report about sixty attempts less than without it, a recovery a minute
/// at the most.
const CAP: Duration = Duration::from_secs(60);

/// The longest pause that a collector may ask for. More is taken for a mistake.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Attempts for one report: the pauses between them add up to a minute and a half on average, to three minutes at the
/// most, and to more only if the collector asks for it.
const ATTEMPTS: u32 = 10;

/// How often one report was tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retry {
    failures: u32,
}

impl Retry {
    /// How long to wait after one more failure; `None` to give up. Pauses are drawn evenly from zero to their longest
    /// (full jitter), so that many reports do not come back at once. `random` is in `0.0..1.0`.
    pub(crate) fn after(&mut self, error: &DeliveryError, random: f64) -> Option<Duration> {
        self.failures += 1;
        if !error.is_retryable() || self.failures >= ATTEMPTS {
            return None;
        }
        let doublings = (self.failures - 1).min(16);
        let longest = BASE.saturating_mul(1 << doublings).min(CAP);
        let asked = error.delay().unwrap_or_default().min(LONGEST_RETRY_AFTER);
        Some(longest.mul_f64(random.clamp(0.0, 1.0)).max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_end_after_ten_attempts() {
        let mut retry = Retry::default();
        let error = DeliveryError::unavailable();
        let pauses: Vec<_> =
            std::iter::from_fn(|| retry.after(&error, 1.0)).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn pauses_are_drawn_from_zero_to_their_longest() {
        let pause = |random| Retry::default().after(&DeliveryError::unavailable(), random).unwrap();
        assert_eq!(pause(0.0), Duration::ZERO);
        assert_eq!(pause(0.5), Duration::from_millis(250));
    }

    #[test]
    fn what_the_collector_asks_for_is_the_shortest_pause_up_to_five_minutes() {
        let pause = |seconds| {
            let error = DeliveryError::unavailable().retry_after(Duration::from_secs(seconds));
            Retry::default().after(&error, 0.0).unwrap()
        };
        assert_eq!(pause(7), Duration::from_secs(7));
        assert_eq!(pause(1_000_000_000), Duration::from_secs(300));
    }

    #[test]
    fn a_rejected_report_is_not_tried_again() {
        assert_eq!(Retry::default().after(&DeliveryError::rejected(), 0.5), None);
        assert_eq!(Retry::default().after(&DeliveryError::unauthorized(), 0.5), None);
    }
}
