//! Whether the collector is spared: what all reports share, as a value without clock or I/O.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::retry::pause;
use crate::config::MAX_DELIVERIES;
use crate::stats::FailureClass;
use crate::transport::DeliveryError;

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
    concurrency_limit: usize,
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
pub(crate) enum Decision {
    /// An attempt.
    Allow,
    /// An attempt after silence: by a report that has not failed, if there is one. It may have been the other's fault.
    AllowUntried,
    /// An attempt that finds out whether the collector is back: by the report that was tried the longest ago.
    HalfOpenProbe,
    /// Nothing before this moment.
    RetryAt(Instant),
    /// Nothing before a running attempt ends.
    Saturated,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            concurrency_limit: MAX_DELIVERIES,
            hold: None,
            open: None,
            failed: Vec::new(),
            refused: Vec::new(),
            are_keys_proven: false,
            is_hurried: false,
        }
    }

    pub(crate) fn decision(&self, now: Instant, running: usize) -> Decision {
        if let Some(hold) = self.hold.filter(|hold| now < *hold) {
            return Decision::RetryAt(hold);
        }
        match &self.open {
            Some(Open { probe: Some(_), .. }) => Decision::Saturated,
            Some(open) if now < open.next => Decision::RetryAt(open.next),
            Some(_) if running < MAX_DELIVERIES => Decision::HalfOpenProbe,
            None if running < self.concurrency_limit && self.concurrency_limit < MAX_DELIVERIES => {
                Decision::AllowUntried
            }
            None if running < self.concurrency_limit => Decision::Allow,
            _ => Decision::Saturated,
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
        self.concurrency_limit =
            if self.open.take().is_some() { 1 } else { (self.concurrency_limit + 1).min(MAX_DELIVERIES) };
    }

    /// Notes that an attempt failed. Returns whether it is the report's fault, as far as can be told.
    pub(crate) fn failed(&mut self, now: Instant, report: Uuid, error: &DeliveryError, random: f64) -> bool {
        let class = error.class();
        let is_probe = self.is_probe(report);
        if let Some(delay) = error.delay() {
            let until = now + delay.min(LONGEST_RETRY_AFTER);
            self.hold = Some(self.hold.map_or(until, |hold| hold.max(until)));
            self.concurrency_limit = 1;
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
            FailureClass::Rejected | FailureClass::Unsendable => None,
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
    pub(crate) fn retry_now(&mut self, now: Instant) {
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
            FailureClass::Rejected | FailureClass::Unsendable => open.cause,
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
