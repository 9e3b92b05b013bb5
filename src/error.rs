//! The one error type of the crate.

use std::borrow::Cow;

/// What is wrong with a configuration, or with JSON that was handed in.
///
/// Its text says which setting or variable was wrong, what it held and what to do about it. It holds no key, and
/// of a URL neither user-info nor query.
///
/// ```
/// use tower_reconify::Config;
///
/// let error = Config::builder("", "secret").build().unwrap_err();
/// assert!(error.is_config());
/// assert!(error.to_string().contains("app_key"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("{setting} is not set: {hint}")]
    Missing { setting: Cow<'static, str>, hint: &'static str },
    #[error("{setting} is empty: {hint}")]
    Empty { setting: Cow<'static, str>, hint: &'static str },
    #[error("{setting} is {value}, {problem}: {hint}")]
    Invalid { setting: Cow<'static, str>, value: String, problem: Cow<'static, str>, hint: &'static str },
    #[error("the {part} is not valid JSON: {source}")]
    Json { part: &'static str, source: serde_json::Error },
}

impl Error {
    /// Whether a setting of [`Config`](crate::Config) is missing, empty or not usable.
    pub fn is_config(&self) -> bool {
        !self.is_json()
    }

    /// Whether text that should have been JSON was not.
    pub fn is_json(&self) -> bool {
        matches!(self.0, Kind::Json { .. })
    }
}
