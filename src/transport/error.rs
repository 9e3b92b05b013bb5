use std::fmt;
use std::time::Duration;

use tower::BoxError;

use crate::stats::FailureClass;

/// Why a delivery attempt failed, and whether it is retried.
///
/// A transport given to [`ReconifyLayer::with_transport`](crate::ReconifyLayer::with_transport)
/// returns it as its error. Any other error counts as [`unavailable`](Self::unavailable). It
/// contains no content of the report or the response.
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
    /// The receiver could not be reached, did not answer in time, or answered that it cannot accept
    /// reports now. The report is retried.
    pub fn unavailable() -> Self {
        Self::new(FailureClass::Unavailable)
    }

    /// The receiver rejected this report permanently. It is not retried.
    pub fn rejected() -> Self {
        Self::new(FailureClass::Rejected)
    }

    /// The receiver does not accept the keys. Until a report is accepted, only one attempt is made
    /// every 5 s, doubling to 60 s. If a single report is refused like this while others are
    /// accepted, it is given up after its attempts.
    pub fn unauthorized() -> Self {
        Self::new(FailureClass::Unauthorized)
    }

    /// This process cannot send the report at all. It is not retried.
    pub(crate) fn unsendable() -> Self {
        Self::new(FailureClass::Unsendable)
    }

    /// Sets the pause that the receiver asked for before the next attempt, for all reports. Up to
    /// 300 s are honoured. Such a failure does not count as an attempt.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Sets the HTTP status of the response.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Whether the report is retried.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.class, FailureClass::Rejected | FailureClass::Unsendable)
    }

    /// Whether the keys were not accepted.
    pub fn is_unauthorized(&self) -> bool {
        self.class == FailureClass::Unauthorized
    }

    /// The class of the failure.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Converts the error of any transport.
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
