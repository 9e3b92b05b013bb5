use std::error::Error;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tower::BoxError;

use crate::stats::FailureClass;
use crate::unwind::guarded;

/// An error of a reqwest client of the application without its URL, which may contain secrets.
fn without_url(error: BoxError) -> BoxError {
    #[cfg(feature = "reqwest")]
    return match error.downcast::<reqwest::Error>() {
        Ok(error) => error.without_url().into(),
        Err(error) => error,
    };
    #[cfg(not(feature = "reqwest"))]
    error
}

/// The text of an error.
#[derive(Debug)]
struct CauseText(String);

impl fmt::Display for CauseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for CauseText {}

/// A text of one line and limited length.
struct Line(String);

/// The most bytes of a [`Line`], and a little more.
const MOST_BYTES: usize = 1_000;

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MOST_BYTES.saturating_sub(self.0.len());
        self.0.extend(text.chars().take(room).map(|letter| if letter.is_control() { ' ' } else { letter }));
        if room > 0 { Ok(()) } else { Err(fmt::Error) }
    }
}

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
/// [`Transport`](FailureClass::Transport), and the report is retried. `Display` shows class and status
/// only. The log shows the sources too, up to 1,000 bytes: they must contain neither secrets nor
/// content of the report or the response.
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

    /// Converts the error of any transport. Of its source only the text remains: code of the
    /// application, which may panic, must not run later.
    pub(crate) fn of(error: BoxError) -> Self {
        let error = match error.downcast() {
            Ok(error) => *error,
            Err(error) => Self::new(FailureClass::Transport).with_source(without_url(error)),
        };
        let source = error.source().map(|_| Arc::new(CauseText(error.causes())) as _);
        Self { source, ..error }
    }

    /// The causes on one line. A cause comes from the application or the network: its text may be
    /// endless, and its code may panic.
    fn causes(&self) -> String {
        let mut line = Line(String::new());
        // The line is cut where it fails.
        let _ = guarded(|| {
            self.source().into_iter().flat_map(causes).enumerate().try_for_each(|(number, cause)| {
                line.write_str(if number > 0 { ": " } else { "" })?;
                write!(line, "{cause}")
            })
        });
        line.0
    }

    /// The error and its causes on one line, for the log.
    pub(crate) fn chain(&self) -> String {
        match &self.source {
            Some(_) => format!("{self}: {}", self.causes()),
            None => self.to_string(),
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
        match self.status {
            Some(status) => write!(f, " (status {status})"),
            None => Ok(()),
        }
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

    /// For assertions. Ignores the source.
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
    fn the_log_gets_a_line_of_limited_length_whatever_the_cause_does() {
        struct Cause(u8);

        impl fmt::Debug for Cause {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Ok(())
            }
        }

        impl fmt::Display for Cause {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    0 => panic!("a cause that panics"),
                    1 => Err(fmt::Error),
                    2 => f.write_str("a\nforged line"),
                    _ => loop {
                        f.write_str("endless ")?;
                    },
                }
            }
        }

        impl Error for Cause {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }

        let short = DeliveryError::unreachable().to_string();
        for number in 0..4 {
            let chain = DeliveryError::unreachable().with_source(Cause(number)).chain();
            assert!(chain.starts_with(&short) && chain.len() < 1_100, "{number}: {chain}");
            assert!(!chain.contains('\n'), "{chain}");
        }
    }

    /// Nobody listens on port 9.
    #[cfg(feature = "reqwest")]
    #[tokio::test]
    async fn the_url_of_the_applications_own_client_is_not_logged() {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = client.post("http://127.0.0.1:9/hook?token=s3cret").send().await.unwrap_err();
        assert!(error.to_string().contains("s3cret"));
        let error = DeliveryError::of(error.into());
        assert_eq!(error.class(), FailureClass::Transport);
        assert!(!error.chain().contains("s3cret") && !format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[test]
    fn a_boxed_delivery_error_is_kept_as_it_is() {
        let error = DeliveryError::rejected().with_status(422).with_source("no such user");
        let kept = DeliveryError::of(Box::new(error.clone()));
        assert_eq!(kept, error);
        assert_eq!(kept.source().unwrap().to_string(), "no such user");
    }
}
