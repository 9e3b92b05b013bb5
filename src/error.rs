//! The error of a wrong configuration.

use std::borrow::Cow;
use std::fmt;

/// A problem with a configuration, or with JSON that was passed in.
///
/// Its text names the setting or variable, its value, and what to do. It contains no key, and no
/// user info or query of a URL. `Debug` shows the same text, so that it can be read when `main`
/// returns the error.
///
/// ```
/// use tower_reconify::Config;
///
/// let error = Config::builder("", "secret").build().unwrap_err();
/// assert!(error.is_config());
/// assert!(error.to_string().contains("app_key"));
/// ```
pub struct Error(Kind);

pub(crate) enum Kind {
    Missing { setting: Cow<'static, str>, hint: &'static str },
    Empty { setting: Cow<'static, str>, hint: &'static str },
    Invalid { setting: Cow<'static, str>, value: String, problem: Cow<'static, str>, hint: &'static str },
    Json { part: &'static str, source: serde_json::Error },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Missing { setting, hint } => write!(f, "{setting} is not set: {hint}"),
            Kind::Empty { setting, hint } => write!(f, "{setting} is empty: {hint}"),
            Kind::Invalid { setting, value, problem, hint } => {
                write!(f, "{setting} is {value}, {problem}: {hint}")
            }
            Kind::Json { part, source } => write!(f, "the {part} is not valid JSON: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Json { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Whether a setting of [`Config`](crate::Config) is missing, empty or invalid.
    pub fn is_config(&self) -> bool {
        !self.is_json()
    }

    /// Whether a text is not valid JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.0, Kind::Json { .. })
    }
}
