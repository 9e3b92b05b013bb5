use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower::BoxError;

use crate::stats::FailureClass;

/// An error and its sources. Limited, because a source may refer to itself.
pub(super) fn causes<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    let source: fn(&Cause<'a>) -> Option<Cause<'a>> = |error| (*error).source();
    std::iter::successors(Some(error), source).take(8)
}

type Cause<'a> = &'a (dyn Error + 'static);

/// Why a delivery attempt failed, and whether it is retried.
///
/// A transport given to [`ReconifyLayer::with_transport`](crate::ReconifyLayer::with_transport)
/// returns it as its error. Any other error becomes its [`source`](Error::source), with the class
/// [`Transport`](FailureClass::Transport), and the report is retried. It contains no content of the
/// report or the response.
///
/// ```
/// use std::time::Duration;
/// use tower_reconify::DeliveryError;
///
/// let error = DeliveryError::unavailable().with_status(503).with_retry_after(Duration::from_secs(2));
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "the collector cannot accept the report now (status 503)");
/// ```
#[derive(Clone, Debug)]
pub struct DeliveryError {
    class: FailureClass,
    status: Option<u16>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl DeliveryError {
    /// There was no connection to the receiver. The report is retried.
    pub fn unreachable() -> Self {
        Self::new(FailureClass::Unreachable)
    }

    /// The receiver did not answer in time. The report is retried.
    pub fn timeout() -> Self {
        Self::new(FailureClass::Timeout)
    }

    /// The receiver answered that it cannot accept reports now. The report is retried.
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

    /// The TLS handshake failed. The report is retried.
    #[cfg(feature = "reqwest")]
    pub(super) fn tls() -> Self {
        Self::new(FailureClass::Tls)
    }

    /// This process cannot send the report at all. It is not retried.
    #[cfg(feature = "reqwest")]
    pub(crate) fn unsendable() -> Self {
        Self::new(FailureClass::Unsendable)
    }

    /// Sets the pause that the receiver asked for before the next attempt, for all reports. Up to
    /// 300 s are honoured. Such a failure does not count as an attempt.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Sets the HTTP status of the response.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the error that caused the failure, as its [`source`](Error::source).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// Whether the report is retried.
    pub fn is_retryable(&self) -> bool {
        self.class.is_retryable()
    }

    /// Whether the keys were not accepted.
    pub fn is_unauthorized(&self) -> bool {
        self.class == FailureClass::Unauthorized
    }

    /// The class of the failure.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// The HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The pause that the receiver asked for, if any.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Converts the error of any transport.
    pub(crate) fn of(error: BoxError) -> Self {
        match error.downcast() {
            Ok(error) => *error,
            Err(error) => Self::new(FailureClass::Transport).with_source(error),
        }
    }

    fn new(class: FailureClass) -> Self {
        Self { class, status: None, retry_after: None, source: None }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.class {
            FailureClass::Unreachable => "the collector cannot be reached",
            FailureClass::Tls => "the TLS handshake with the collector failed",
            FailureClass::Timeout => "the collector did not answer in time",
            FailureClass::Transport => "the transport failed",
            FailureClass::Unavailable => "the collector cannot accept the report now",
            FailureClass::Rejected => "the collector rejected the report",
            FailureClass::Unauthorized => "the collector did not accept the keys",
            FailureClass::Unsendable => "the report cannot be sent",
        })?;
        if let Some(status) = self.status {
            write!(f, " (status {status})")?;
        }
        self.source().into_iter().flat_map(causes).try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl Error for DeliveryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For assertions: two failures of the same kind, whatever caused them.
    impl PartialEq for DeliveryError {
        fn eq(&self, other: &Self) -> bool {
            let shown = |error: &Self| (error.class, error.status, error.retry_after);
            shown(self) == shown(other)
        }
    }

    #[test]
    fn the_error_of_a_users_transport_is_the_source_of_a_failure_that_is_retried() {
        let error = DeliveryError::of("the disk is full".into());
        assert!(error.is_retryable());
        assert_eq!(error.source().unwrap().to_string(), "the disk is full");
    }

    #[test]
    fn a_boxed_delivery_error_is_kept_as_it_is() {
        let error = DeliveryError::rejected().with_status(422).with_source("no such user");
        let kept = DeliveryError::of(Box::new(error.clone()));
        assert_eq!(kept, error);
        assert_eq!(kept.source().unwrap().to_string(), "no such user");
    }
}
