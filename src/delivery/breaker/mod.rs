//! The circuit breaker that all reports share, as a value without a clock or I/O.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::retry::pause;
use crate::stats::FailureClass;
use crate::transport::DeliveryError;

/// How many different reports must fail, without a success between, before the collector counts as
/// down. With fewer, the reports themselves may be the cause.
const OPENS_AFTER: usize = 5;

/// How many different reports must be refused for the keys after a success with these keys: some
/// firewalls answer 403 to single reports for their content.
const DISTRUSTS_AFTER: usize = 3;

/// The longest `Retry-After` that is honoured. A longer one is taken for a mistake.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The longest pause between probes during the last flush.
const HURRIED: Duration = Duration::from_millis(500);

/// Decides whether an attempt may start. Allows fewer attempts while the collector fails.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// How many attempts may run at once while the breaker is closed. It is reduced after a pause,
    /// and grows by one with each success, so that the backlog does not overload a collector that
    /// recovers.
    concurrency_limit: usize,
    /// Its highest value.
    most: usize,
    /// The end of a pause that the collector asked for.
    hold: Option<Instant>,
    open: Option<Open>,
    /// The different reports that failed since the last success.
    failed: Vec<Uuid>,
    /// The different reports that were refused for the keys since the last success.
    refused: Vec<Uuid>,
    /// The keys have been accepted since they were last in doubt.
    are_keys_proven: bool,
    is_hurried: bool,
}

/// The breaker is open: one probe at a time.
#[derive(Debug)]
struct Open {
    cause: FailureClass,
    failures: u32,
    next: Instant,
    probe: Option<Uuid>,
}

/// Whether an attempt may start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// An attempt may start.
    Allow,
    /// An attempt may start after a pause, preferably by an untried report: another report may have
    /// caused the failure by itself.
    AllowUntried,
    /// A probe may start, to find out whether the collector has recovered. It may take a report
    /// before its time.
    HalfOpenProbe,
    /// No attempt before this time.
    RetryAt(Instant),
    /// No attempt before a running one ends.
    Saturated,
}

impl Breaker {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            concurrency_limit: most,
            most,
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
            Some(_) if running < self.most => Decision::HalfOpenProbe,
            None if running < self.concurrency_limit && self.concurrency_limit < self.most => {
                Decision::AllowUntried
            }
            None if running < self.concurrency_limit => Decision::Allow,
            _ => Decision::Saturated,
        }
    }

    /// Whether attempts are paused for all reports.
    pub(crate) fn is_failing(&self, now: Instant) -> bool {
        self.open.is_some() || self.hold.is_some_and(|hold| now < hold)
    }

    /// Whether an attempt has failed since the last success.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.open.is_some() || !self.failed.is_empty() || !self.refused.is_empty()
    }

    /// Whether reports wait until the keys are accepted.
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
            if self.open.take().is_some() { 1 } else { (self.concurrency_limit + 1).min(self.most) };
    }

    /// Handles a failed attempt. Returns whether the failure counts against the report itself.
    pub(crate) fn failed(&mut self, now: Instant, report: Uuid, error: &DeliveryError, random: f64) -> bool {
        let class = error.class().in_general();
        let is_probe = self.is_probe(report);
        if let Some(delay) = error.retry_after() {
            let until = now + delay.min(LONGEST_RETRY_AFTER);
            self.hold = Some(self.hold.map_or(until, |hold| hold.max(until)));
            self.concurrency_limit = 1;
        }
        if is_probe {
            self.probe_failed(now, class, random);
            return false;
        }
        let cause = match class {
            FailureClass::Unauthorized => {
                note(&mut self.refused, report);
                (!self.are_keys_proven || self.refused.len() >= DISTRUSTS_AFTER).then_some(class)
            }
            class if class.is_retryable() => {
                note(&mut self.failed, report);
                (self.failed.len() >= OPENS_AFTER).then_some(class)
            }
            _ => None,
        };
        if let (None, Some(cause)) = (&self.open, cause) {
            self.are_keys_proven &= cause != FailureClass::Unauthorized;
            self.open = Some(Open { cause, failures: 1, next: now + pause(cause, 1, random), probe: None });
        }
        error.retry_after().is_none() && !(class == FailureClass::Unauthorized && self.doubts_keys())
    }

    /// Handles an attempt that ended without a result, because the transport panicked.
    pub(crate) fn lost(&mut self, now: Instant, report: Uuid, random: f64) {
        if self.is_probe(report) {
            self.probe_failed(now, FailureClass::Unavailable, random);
        }
    }

    /// Probes immediately and more often, unless the collector asked for a pause: there may be no
    /// later chance.
    pub(crate) fn retry_now(&mut self, now: Instant) {
        self.is_hurried = true;
        if let Some(open) = &mut self.open {
            open.next = now;
        }
    }

    fn is_probe(&self, report: Uuid) -> bool {
        self.open.as_ref().is_some_and(|open| open.probe == Some(report))
    }

    /// A rejected probe does not close the breaker: a collector that is half up may reject
    /// everything.
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
