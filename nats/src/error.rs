use std::fmt;

use tower_reconify::DeliveryError;

/// Why a program cannot work with the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a list of server addresses.
    Servers(String),
    /// No server can be reached, or JetStream is not available now.
    Unreachable(String),
    /// The server does not accept the credentials.
    Unauthorized(String),
    /// The server has this version, which loses data. The oldest accepted one is
    /// [2.10.23](crate::OLDEST_SERVER).
    TooOld(String),
    /// JetStream refuses to create a stream or a consumer.
    Refused(String),
    /// A stream or a consumer has other settings than asked for. The text names each of them.
    Differs(String),
}

impl Error {
    /// Whether a later attempt can succeed without a change to the settings.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Servers(problem) => write!(f, "the servers' addresses are not usable: {problem}"),
            Self::Unreachable(problem) => write!(f, "NATS cannot be reached: {problem}"),
            Self::Unauthorized(problem) => write!(f, "NATS does not accept the credentials: {problem}"),
            Self::TooOld(version) => {
                write!(
                    f,
                    "nats-server {version} is too old: it can lose stored reports; use 2.10.23 or later"
                )
            }
            Self::Refused(problem) => write!(f, "JetStream refuses: {problem}"),
            Self::Differs(settings) => write!(
                f,
                "JetStream has other settings than asked for: {settings}; change the settings, or edit the stream or the \
                 consumer"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for DeliveryError {
    fn from(error: Error) -> Self {
        let failure = match error {
            Error::Unauthorized(_) => Self::unauthorized(),
            Error::Unreachable(_) | Error::Servers(_) => Self::unreachable(),
            // The operator can replace the server while the reports wait.
            Error::TooOld(_) | Error::Refused(_) | Error::Differs(_) => Self::unavailable(),
        };
        failure.with_source(error)
    }
}
