//! The environment variables, read into a builder.

use std::cell::RefCell;
use std::ffi::OsString;

use super::builder::ConfigBuilder;
use super::misspelled::misspelled;
use super::options::Config;
#[cfg(doc)]
use super::options::{IdentityHeaders, Media, Responses};
use super::setting::{Captured, Choice, Flag, Number, Part, Setting};
use crate::error::Error;
#[cfg(doc)]
use crate::provider::operation::Endpoint;

impl Config {
    /// Settings from the environment.
    ///
    /// | variable | meaning | default |
    /// | --- | --- | --- |
    /// | `RECONIFY_APP_KEY` | the application's key, from the Reconify console | required |
    /// | `RECONIFY_API_KEY` | the API key, from the same page | required |
    /// | `RECONIFY_ENDPOINT` | the URL to which interactions are posted | `https://track.reconify.com/track` |
    /// | `RECONIFY_UPLOAD_ENDPOINT` | the URL for image data | the endpoint with `track` replaced by `upload` |
    /// | `RECONIFY_SESSION_TIMEOUT` | minutes, a whole number from 1 | unset: the collector's own |
    /// | `RECONIFY_REPORT_FAILURES` | `1`: refused and failed exchanges are reported too | `0` |
    /// | `RECONIFY_RESPONSES` | the Responses API: `chat`, `verbatim` or `off` ([`Responses`]) | `chat` |
    /// | `RECONIFY_TRACK_IMAGES` | `0`: generated images are not reported | `1` |
    /// | `RECONIFY_MEDIA` | base64 images, sound and files: `keep` or `elide` ([`Media`]) | `keep` |
    /// | `RECONIFY_CAPTURE` | the [names](Endpoint::name) of the endpoints that are captured, with commas between them, or `all` | chat, completions, responses, images |
    /// | `RECONIFY_METADATA` | `1`: reports have a `metadata` object | `0` |
    /// | `RECONIFY_IDENTITY_HEADERS` | `x-reconify-user-id` and its like: `ignore`, `read` or `take` ([`IdentityHeaders`]) | `ignore` |
    /// | `RECONIFY_OUTERMOST_ONLY` | `1`: calls made while a captured request is handled are not reported | `0` |
    /// | `RECONIFY_SAMPLE` | the part of the sessions that is reported, from 0 to 1 | `1` |
    /// | `RECONIFY_SPOOL` | the folder for reports that cannot be delivered now | none |
    /// | `RECONIFY_SPOOLING` | when they go there: `when-needed` or `always` | `when-needed` |
    /// | `RECONIFY_ALLOW_HTTP` | `1`: plain `http://` to another machine is wanted | `0` |
    /// | `RECONIFY_DISABLED` | `1`: pass everything through, capture nothing; of the others only `RECONIFY_IDENTITY_HEADERS` is read then, and an unknown word there means `take` | `0` |
    ///
    /// A variable that is set to the empty string counts as unset, except for the keys. Another `RECONIFY_` variable whose name
    /// differs from one of these by one or two letters is a warning in the log that names the right one.
    ///
    /// # Errors
    ///
    /// Names the first variable that is missing, empty or not usable. To set more in code, start from
    /// [`ConfigBuilder::from_env`].
    pub fn from_env() -> Result<Self, Error> {
        ConfigBuilder::from_env().build()
    }
}

impl ConfigBuilder {
    /// Starts from the variables that [`Config::from_env`] reads; setters called afterwards replace them.
    ///
    /// ```
    /// use tower_reconify::{ConfigBuilder, Endpoint};
    ///
    /// let config = ConfigBuilder::from_env().disabled(true).route("/ask", Endpoint::Chat).build()?;
    /// assert!(config.is_disabled());
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        read(std::env::var_os::<&str>, std::env::vars_os().map(|(name, _)| name))
    }
}

/// Reads the known variables, and warns of those among the names of all set variables that are almost known.
fn read(
    variable: impl Fn(&'static str) -> Option<OsString>,
    set: impl Iterator<Item = OsString>,
) -> ConfigBuilder {
    let known = RefCell::new(Vec::new());
    let variable = |name| {
        known.borrow_mut().push(name);
        variable(name)
    };
    let key = |name| Setting { name, value: variable(name).map(text) };
    let optional = |name| Setting { name, value: variable(name).map(text).filter(|text| !text.is_empty()) };
    let flag = |name| {
        let Setting { name, value } = optional(name);
        Setting { name, value: value.map(Flag::Text) }
    };
    let mut builder = ConfigBuilder::new(String::new(), String::new());
    builder.app_key = key("RECONIFY_APP_KEY");
    builder.api_key = key("RECONIFY_API_KEY");
    builder.endpoint = optional("RECONIFY_ENDPOINT");
    builder.upload_endpoint = optional("RECONIFY_UPLOAD_ENDPOINT");
    builder.report_failures = flag("RECONIFY_REPORT_FAILURES");
    builder.metadata = flag("RECONIFY_METADATA");
    builder.track_images = flag("RECONIFY_TRACK_IMAGES");
    let Setting { name, value } = optional("RECONIFY_CAPTURE");
    builder.capture = Setting { name, value: value.map(Captured::Text) };
    let Setting { name, value } = optional("RECONIFY_RESPONSES");
    builder.responses = Setting { name, value: value.map(Choice::Text) };
    let Setting { name, value } = optional("RECONIFY_MEDIA");
    builder.media = Setting { name, value: value.map(Choice::Text) };
    let Setting { name, value } = optional("RECONIFY_IDENTITY_HEADERS");
    builder.identity_headers = Setting { name, value: value.map(Choice::Text) };
    let Setting { name, value } = optional("RECONIFY_SAMPLE");
    builder.sample = Setting { name, value: value.map(Part::Text) };
    builder.outermost_only = flag("RECONIFY_OUTERMOST_ONLY");
    let name = "RECONIFY_SPOOL";
    builder.spool = Setting { name, value: variable(name).filter(|folder| !folder.is_empty()) };
    let Setting { name, value } = optional("RECONIFY_SPOOLING");
    builder.spooling = Setting { name, value: value.map(Choice::Text) };
    builder.allow_http = flag("RECONIFY_ALLOW_HTTP");
    builder.disabled = flag("RECONIFY_DISABLED");
    let Setting { name, value } = optional("RECONIFY_SESSION_TIMEOUT");
    builder.session_timeout = Setting { name, value: value.map(Number::Text) };
    for (name, meant) in misspelled(&set.collect::<Vec<_>>(), &known.borrow()) {
        tracing::warn!("the environment variable {} is not read: {meant} may be meant", name.escape_debug());
    }
    builder
}

/// What is not Unicode becomes text that no setting accepts: a replacement character is a URL's or number's error, and
/// stands in a key as a control character does.
fn text(value: OsString) -> String {
    value.into_string().unwrap_or_else(|value| format!("\u{0}{}", value.to_string_lossy()))
}

#[cfg(test)]
mod tests;
