//! Whether the collector is spared: what all reports share, as a value without clock or I/O.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::error::DeliveryError;
use super::retry::pause;
use crate::config::MAX_DELIVERIES;
use crate::stats::FailureClass;

/// So many different reports have to fail, with no success between, before the collector is taken for down. Fewer may be
/// reports that it chokes on.
const OPENS_AFTER: usize = 5;

/// So many different reports have to be refused for the keys after one was taken with them: some firewalls answer 403 to
/// single reports for their content.
const DISTRUSTS_AFTER: usize = 3;

/// The longest pause that a collector may ask for. More is taken for a mistake.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Between probes once the end is near.
const HURRIED: Duration = Duration::from_millis(500);

/// Lets attempts through, fewer while the collector is in trouble.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// How many attempts may run at once while it is closed. Less than all after a pause: it grows by one with each
    /// success, so that a collector that comes back is not run over by what has piled up.
    window: usize,
    /// The collector asked for silence until then.
    hold: Option<Instant>,
    open: Option<Open>,
    /// The different reports that failed since the last success.
    failed: Vec<Uuid>,
    /// The different reports that were refused for the keys since the last success.
    refused: Vec<Uuid>,
    /// The keys have been accepted since they were last doubted.
    are_keys_proven: bool,
    is_hurried: bool,
}

/// It is open: one probe at a time.
#[derive(Debug)]
struct Open {
    cause: FailureClass,
    failures: u32,
    next: Instant,
    probe: Option<Uuid>,
}

/// What may happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// An attempt.
    Attempt,
    /// An attempt that finds out whether the collector is back: by the report that was tried the longest ago.
    Probe,
    /// Nothing before this moment.
    At(Instant),
    /// Nothing before a running attempt ends.
    Full,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            window: MAX_DELIVERIES,
            hold: None,
            open: None,
            failed: Vec::new(),
            refused: Vec::new(),
            are_keys_proven: false,
            is_hurried: false,
        }
    }

    pub(crate) fn permit(&self, now: Instant, running: usize) -> Permit {
        if let Some(hold) = self.hold.filter(|hold| now < *hold) {
            return Permit::At(hold);
        }
        match &self.open {
            Some(Open { probe: Some(_), .. }) => Permit::Full,
            Some(open) if now < open.next => Permit::At(open.next),
            Some(_) if running < MAX_DELIVERIES => Permit::Probe,
            None if running < self.window => Permit::Attempt,
            _ => Permit::Full,
        }
    }

    /// Whether reports wait for more than their turn.
    pub(crate) fn is_failing(&self, now: Instant) -> bool {
        self.open.is_some() || self.hold.is_some_and(|hold| now < hold)
    }

    /// Whether reports wait for keys that are accepted.
    pub(crate) fn doubts_keys(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.cause == FailureClass::Unauthorized)
    }

    pub(crate) fn began(&mut self, report: Uuid) {
        if let Some(open) = &mut self.open {
            open.probe = Some(report);
        }
    }

    pub(crate) fn succeeded(&mut self) {
        self.failed.clear();
        self.refused.clear();
        self.are_keys_proven = true;
        self.window = if self.open.take().is_some() { 1 } else { (self.window + 1).min(MAX_DELIVERIES) };
    }

    /// Notes that an attempt failed. Returns whether it is the report's fault, as far as can be told.
    pub(crate) fn failed(&mut self, now: Instant, report: Uuid, error: &DeliveryError, random: f64) -> bool {
        let class = error.class();
        let is_probe = self.is_probe(report);
        if let Some(delay) = error.delay() {
            let until = now + delay.min(LONGEST_RETRY_AFTER);
            self.hold = Some(self.hold.map_or(until, |hold| hold.max(until)));
            self.window = 1;
        }
        if is_probe {
            self.probe_failed(now, class, random);
            return false;
        }
        let cause = match class {
            FailureClass::Unavailable => {
                note(&mut self.failed, report);
                (self.failed.len() >= OPENS_AFTER).then_some(class)
            }
            FailureClass::Unauthorized => {
                note(&mut self.refused, report);
                (!self.are_keys_proven || self.refused.len() >= DISTRUSTS_AFTER).then_some(class)
            }
            FailureClass::Rejected => None,
        };
        if let (None, Some(cause)) = (&self.open, cause) {
            self.are_keys_proven &= cause != FailureClass::Unauthorized;
            self.open = Some(Open { cause, failures: 1, next: now + pause(cause, 1, random), probe: None });
        }
        error.delay().is_none() && !(class == FailureClass::Unauthorized && self.doubts_keys())
    }

    /// Notes that an attempt ended without an answer: the transport panicked.
    pub(crate) fn lost(&mut self, now: Instant, report: Uuid, random: f64) {
        if self.is_probe(report) {
            self.probe_failed(now, FailureClass::Unavailable, random);
        }
    }

    /// Probes at once, and often from now on, unless the collector asked for silence: there may be no later.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.is_hurried = true;
        if let Some(open) = &mut self.open {
            open.next = now;
        }
    }

    fn is_probe(&self, report: Uuid) -> bool {
        self.open.as_ref().is_some_and(|open| open.probe == Some(report))
    }

    /// A probe that is rejected ends nothing: a collector that is half up may well reject everything.
    fn probe_failed(&mut self, now: Instant, class: FailureClass, random: f64) {
        let Some(open) = &mut self.open else { return };
        let cause = match class {
            FailureClass::Rejected => open.cause,
            class => class,
        };
        open.failures = if cause == open.cause { open.failures.saturating_add(1) } else { 1 };
        open.cause = cause;
        open.probe = None;
        let pause = pause(cause, open.failures, random);
        open.next = now + if self.is_hurried { pause.min(HURRIED) } else { pause };
    }
}

fn note(reports: &mut Vec<Uuid>, report: Uuid) {
    if reports.len() < OPENS_AFTER && !reports.contains(&report) {
        reports.push(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn failing(breaker: &mut Breaker, now: Instant, reports: impl IntoIterator<Item = u128>) {
        for report in reports {
            breaker.began(id(report));
            breaker.failed(now, id(report), &DeliveryError::unavailable(), 1.0);
        }
    }

    #[test]
    fn it_opens_when_five_different_reports_fail_in_a_row() {
        let (mut breaker, now) = (Breaker::new(), Instant::now());
        failing(&mut breaker, now, [1, 1, 1, 1, 1, 2, 3, 4]);
        breaker.succeeded();
        failing(&mut breaker, now, [1, 2, 3, 4]);
        assert_eq!(breaker.permit(now, 31), Permit::Attempt);
        failing(&mut breaker, now, [5]);
        assert_eq!(breaker.permit(now, 0), Permit::At(now + SECOND / 2));
    }

    #[test]
    fn open_it_lets_one_probe_through_at_a_time_in_pauses_that_double_to_a_minute() {
        let (mut breaker, mut now) = (Breaker::new(), Instant::now());
        failing(&mut breaker, now, 1..=5);
        let mut pauses = Vec::new();
        for report in 6..15 {
            let Permit::At(next) = breaker.permit(now, 0) else { panic!("there is a pause") };
            pauses.push((next - now).as_millis());
            now = next;
            assert_eq!(breaker.permit(now, 0), Permit::Probe);
            breaker.began(id(report));
            assert_eq!(breaker.permit(now, 1), Permit::Full);
            assert!(
                !breaker.failed(now, id(report), &DeliveryError::unavailable(), 1.0),
                "it costs no attempt"
            );
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn the_first_success_closes_it_and_each_further_one_lets_one_more_through() {
        let (mut breaker, now) = (Breaker::new(), Instant::now());
        failing(&mut breaker, now, 1..=5);
        for window in 1..=MAX_DELIVERIES + 5 {
            breaker.succeeded();
            let window = window.min(MAX_DELIVERIES);
            assert_eq!(breaker.permit(now, window - 1), Permit::Attempt);
            assert_eq!(breaker.permit(now, window), Permit::Full);
        }
    }

    #[test]
    fn what_the_collector_asks_for_holds_everything_for_up_to_five_minutes_and_costs_no_attempt() {
        for (asked, held) in [(0, 0), (7, 7), (300, 300), (1_000_000_000, 300), (u64::MAX, 300)] {
            let (mut breaker, now) = (Breaker::new(), Instant::now());
            let error = DeliveryError::unavailable().retry_after(Duration::from_secs(asked));
            assert!(!breaker.failed(now, id(1), &error, 0.5), "it costs no attempt");
            let until = now + Duration::from_secs(held);
            let silent = if held > 0 { Permit::At(until) } else { Permit::Attempt };
            assert_eq!(breaker.permit(now, 0), silent);
            assert_eq!(breaker.permit(until, 0), Permit::Attempt);
            assert_eq!(breaker.permit(until, 1), Permit::Full, "one at first");
            // A shorter one that was under way does not shorten it, nor does a success.
            let shorter = DeliveryError::unavailable().retry_after(Duration::ZERO);
            breaker.failed(now, id(2), &shorter, 0.5);
            breaker.succeeded();
            assert_eq!(breaker.permit(now, 0), silent);
        }
    }

    #[test]
    fn keys_that_are_not_accepted_leave_one_probe_every_five_seconds_doubling_to_a_minute() {
        let (mut breaker, mut now) = (Breaker::new(), Instant::now());
        assert!(!breaker.failed(now, id(1), &DeliveryError::unauthorized(), 0.1));
        for seconds in [5, 10, 20, 40, 60, 60] {
            assert_eq!(breaker.permit(now, 0), Permit::At(now + seconds * SECOND));
            now += seconds * SECOND;
            breaker.began(id(1));
            breaker.failed(now, id(1), &DeliveryError::unauthorized(), 0.1);
        }
        breaker.succeeded();
        assert!(!breaker.doubts_keys());
        assert_eq!(breaker.permit(now, 0), Permit::Attempt);
    }

    #[test]
    fn one_report_that_is_refused_like_wrong_keys_holds_up_no_other_once_the_keys_are_proven() {
        let (mut breaker, now) = (Breaker::new(), Instant::now());
        breaker.succeeded();
        for _ in 0..10 {
            assert!(breaker.failed(now, id(1), &DeliveryError::unauthorized(), 0.1), "it costs an attempt");
        }
        breaker.failed(now, id(2), &DeliveryError::unauthorized(), 0.1);
        assert_eq!(breaker.permit(now, 0), Permit::Attempt);
        breaker.failed(now, id(3), &DeliveryError::unauthorized(), 0.1);
        assert_eq!(breaker.permit(now, 0), Permit::At(now + 5 * SECOND));
    }

    #[test]
    fn a_probe_that_is_rejected_or_lost_is_followed_by_another_after_a_pause() {
        let (mut breaker, now) = (Breaker::new(), Instant::now());
        failing(&mut breaker, now, 1..=5);
        breaker.began(id(6));
        breaker.failed(now, id(6), &DeliveryError::rejected(), 1.0);
        assert_eq!(breaker.permit(now, 0), Permit::At(now + SECOND));
        breaker.began(id(7));
        breaker.lost(now, id(7), 1.0);
        assert_eq!(breaker.permit(now, 0), Permit::At(now + 2 * SECOND));
        breaker.hurry(now);
        assert_eq!(breaker.permit(now, 0), Permit::Probe);
    }
}
