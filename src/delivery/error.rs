use std::fmt;
use std::time::Duration;

use tower::BoxError;

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
    class: Class,
    status: Option<u16>,
    retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Unavailable,
    Rejected,
    Unauthorized,
}

impl DeliveryError {
    /// The receiver could not be reached, did not answer in time, or said that it cannot take reports now. The report
    /// is tried again.
    pub fn unavailable() -> Self {
        Self::new(Class::Unavailable)
    }

    /// The receiver refused this report for good. It is not tried again.
    pub fn rejected() -> Self {
        Self::new(Class::Rejected)
    }

    /// The receiver does not accept the keys. The report is not tried again.
    pub fn unauthorized() -> Self {
        Self::new(Class::Unauthorized)
    }

    /// Sets how long the receiver asked to wait before the next attempt.
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
        self.class == Class::Unavailable
    }

    /// Whether the keys were not accepted.
    pub fn is_unauthorized(&self) -> bool {
        self.class == Class::Unauthorized
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What the error of any transport means.
    pub(crate) fn of(error: BoxError) -> Self {
        error.downcast().map_or_else(|_| Self::unavailable(), |error| *error)
    }

    fn new(class: Class) -> Self {
        Self { class, status: None, retry_after: None }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.class {
            Class::Unavailable => "the collector could not take the report",
            Class::Rejected => "the collector rejected the report",
            Class::Unauthorized => "the collector did not accept the keys",
        })?;
        match self.status {
            Some(status) => write!(f, " (status {status})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DeliveryError {}
