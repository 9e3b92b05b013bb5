use std::fmt;
use std::time::Duration;

use tower::BoxError;

use crate::stats::FailureClass;

/// Why an attempt to deliver a report failed, and what that means for the next.
///
/// A transport given to [`ReconifyLayer::with_transport`](crate::ReconifyLayer::with_transport) returns it to say so;
/// any other error counts as [`unavailable`](Self::unavailable). It holds nothing of what was sent or answered.
///
/// ```
/// use std::time::Duration;
/// use tower_reconify::DeliveryError;
///
/// assert!(DeliveryError::unavailable().retry_after(Duration::from_secs(2)).is_retryable());
/// assert!(!DeliveryError::rejected().is_retryable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    class: FailureClass,
    status: Option<u16>,
    retry_after: Option<Duration>,
}

impl DeliveryError {
    /// The receiver could not be reached, did not answer in time, or said that it cannot take reports now. The report
    /// is tried again.
    pub fn unavailable() -> Self {
        Self::new(FailureClass::Unavailable)
    }

    /// The receiver refused this report for good. It is not tried again.
    pub fn rejected() -> Self {
        Self::new(FailureClass::Rejected)
    }

    /// The receiver does not accept the keys. Nothing is sent but one report every 5 s, doubling to 60 s, until one is
    /// taken. A report that alone is refused like this, while others are taken, is given up after its attempts.
    pub fn unauthorized() -> Self {
        Self::new(FailureClass::Unauthorized)
    }

    /// The report cannot be sent at all, by a fault of this process. It is not tried again.
    pub(crate) fn unsendable() -> Self {
        Self::new(FailureClass::Unsendable)
    }

    /// Sets how long the receiver asked to wait before the next attempt, of this and of all other reports. Up to 300 s
    /// are granted. Such a failure costs the report no attempt.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Sets the HTTP status that the receiver answered with.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Whether the report is tried again.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.class, FailureClass::Rejected | FailureClass::Unsendable)
    }

    /// Whether the keys were not accepted.
    pub fn is_unauthorized(&self) -> bool {
        self.class == FailureClass::Unauthorized
    }

    /// What kind of failure it is.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What the error of any transport means.
    pub(crate) fn of(error: BoxError) -> Self {
        error.downcast().map_or_else(|_| Self::unavailable(), |error| *error)
    }

    fn new(class: FailureClass) -> Self {
        Self { class, status: None, retry_after: None }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.class {
            FailureClass::Unavailable => "the collector could not take the report",
            FailureClass::Rejected => "the collector rejected the report",
            FailureClass::Unauthorized => "the collector did not accept the keys",
            FailureClass::Unsendable => "the report cannot be sent",
        })?;
        match self.status {
            Some(status) => write!(f, " (status {status})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DeliveryError {}
