//! Reads the environment variables into a builder.

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;

use super::builder::ConfigBuilder;
use super::collector_url;
use super::misspelled::misspelled;
use super::options::{Config, IdentityHeaders, Media, Responses};
use super::parse::{self, API_KEY_HINT, APP_KEY_HINT};
use super::setting::{Problem, Setting};
use super::spool::Spooling;
use crate::error::Error;
use crate::names::LOG;
#[cfg(doc)]
use crate::provider::operation::Operation;

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
    /// | `RECONIFY_RESPONSES` | the Responses API is reported as a `chat` or `verbatim` ([`Responses`]) | `chat` |
    /// | `RECONIFY_TRACK_IMAGES` | `0`: generated images are not reported | `1` |
    /// | `RECONIFY_MEDIA` | base64 images, sound and files: `keep` or `elide` ([`Media`]) | `keep` |
    /// | `RECONIFY_CAPTURE` | what is captured: the names of [operations](Operation::as_str) and [providers](crate::Provider::as_str), with commas between them, or `all`; see [`capture`](ConfigBuilder::capture) | the operations of every provider that Reconify documents a type for |
    /// | `RECONIFY_METADATA` | `1`: reports have a `metadata` object | `0` |
    /// | `RECONIFY_IDENTITY_HEADERS` | `x-reconify-user-id` and its like: `ignore`, `read` or `take` ([`IdentityHeaders`]) | `ignore` |
    /// | `RECONIFY_OUTERMOST_ONLY` | `1`: calls made while a captured request is handled are not reported | `0` |
    /// | `RECONIFY_SAMPLE` | the sampling rate per session, 0.0 to 1.0 | `1` |
    /// | `RECONIFY_SPOOL` | the folder for reports that cannot be delivered now | none |
    /// | `RECONIFY_SPOOLING` | when they go there: `when-needed` or `always` | `when-needed` |
    /// | `RECONIFY_ALLOW_HTTP` | `1`: plain `http://` to another machine is wanted | `0` |
    /// | `RECONIFY_DISABLED` | `1`: pass everything through, capture nothing; of the others only `RECONIFY_IDENTITY_HEADERS` is read then, and an unknown word there means `take` | `0` |
    ///
    /// A variable that is set to the empty string counts as unset, except for the keys. If the name of another `RECONIFY_`
    /// variable differs from one of these by one or two letters, a warning in the log names the right one.
    ///
    /// # Errors
    ///
    /// Names the first variable that is missing, empty or not usable. To set more in code, start from
    /// [`ConfigBuilder::from_env`].
    pub fn from_env() -> Result<Self, Error> {
        ConfigBuilder::from_env().build()
    }

    /// Settings from the environment, or a [disabled](Self::disabled) configuration if neither
    /// `RECONIFY_APP_KEY` nor `RECONIFY_API_KEY` is set: for applications that are also run without
    /// an account. The log has a warning then.
    ///
    /// ```
    /// use tower_reconify::{Config, ReconifyLayer};
    ///
    /// let reconify = ReconifyLayer::new(Config::from_env_or_disabled()?);
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env), also if only one of the keys is set.
    pub fn from_env_or_disabled() -> Result<Self, Error> {
        ConfigBuilder::from_env().or_disabled().build()
    }
}

impl ConfigBuilder {
    /// Starts from the variables that [`Config::from_env`] reads; setters called afterwards replace them.
    ///
    /// ```
    /// use tower_reconify::{ConfigBuilder, Operation};
    ///
    /// let config = ConfigBuilder::from_env().disabled(true).route("/ask", Operation::Chat).build()?;
    /// assert!(config.is_disabled());
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        read(std::env::var_os::<&str>, std::env::vars_os().map(|(name, _)| name))
    }

    /// Disables the layer if both keys are unset.
    fn or_disabled(self) -> Self {
        let has_no_key = self.app_key.is_missing() && self.api_key.is_missing();
        if !has_no_key || !matches!(self.disabled.clone().get(), Ok(false)) {
            return self;
        }
        tracing::warn!(
            target: LOG,
            "nothing is reported: RECONIFY_APP_KEY and RECONIFY_API_KEY are not set"
        );
        self.disabled(true)
    }
}

type Put = fn(&mut ConfigBuilder, Variable);

/// Every variable, and the setting that it sets.
const VARIABLES: [(&str, Put); 18] = [
    ("RECONIFY_APP_KEY", |builder, variable| builder.app_key = variable.key(APP_KEY_HINT)),
    ("RECONIFY_API_KEY", |builder, variable| builder.api_key = variable.key(API_KEY_HINT)),
    ("RECONIFY_ENDPOINT", |builder, variable| variable.set(&mut builder.endpoint, collector_url::parse)),
    ("RECONIFY_UPLOAD_ENDPOINT", |builder, variable| {
        variable.set(&mut builder.upload_endpoint, |text| collector_url::parse(text).map(Some));
    }),
    ("RECONIFY_SESSION_TIMEOUT", |builder, variable| {
        variable.set(&mut builder.session_timeout, parse::minutes)
    }),
    ("RECONIFY_REPORT_FAILURES", |builder, variable| variable.set(&mut builder.report_failures, parse::flag)),
    ("RECONIFY_RESPONSES", |builder, variable| variable.set(&mut builder.responses, Responses::parse)),
    ("RECONIFY_TRACK_IMAGES", |builder, variable| variable.set(&mut builder.track_images, parse::flag)),
    ("RECONIFY_MEDIA", |builder, variable| variable.set(&mut builder.media, Media::parse)),
    ("RECONIFY_CAPTURE", |builder, variable| variable.set(&mut builder.capture, parse::operations)),
    ("RECONIFY_METADATA", |builder, variable| variable.set(&mut builder.metadata, parse::flag)),
    ("RECONIFY_IDENTITY_HEADERS", |builder, variable| {
        variable.set(&mut builder.identity_headers, IdentityHeaders::parse)
    }),
    ("RECONIFY_OUTERMOST_ONLY", |builder, variable| variable.set(&mut builder.outermost_only, parse::flag)),
    ("RECONIFY_SAMPLE", |builder, variable| variable.set(&mut builder.sample, parse::rate)),
    ("RECONIFY_SPOOL", |builder, variable| builder.spool = variable.folder()),
    ("RECONIFY_SPOOLING", |builder, variable| variable.set(&mut builder.spooling, Spooling::parse)),
    ("RECONIFY_ALLOW_HTTP", |builder, variable| variable.set(&mut builder.allow_http, parse::flag)),
    ("RECONIFY_DISABLED", |builder, variable| variable.set(&mut builder.disabled, parse::flag)),
];

struct Variable {
    name: &'static str,
    value: Option<OsString>,
}

impl Variable {
    /// Replaces the default, unless the variable is unset or empty.
    fn set<T>(self, setting: &mut Setting<T>, parse: fn(&str) -> Result<T, Problem>) {
        setting.name = self.name;
        if let Some(text) = self.value.map(text).filter(|text| !text.is_empty()) {
            *setting = Setting::parsed(self.name, parse(&text));
        }
    }

    fn key(self, hint: &'static str) -> Setting<SecretString> {
        Setting::parsed(self.name, parse::key(self.value.map(text).as_deref(), hint))
    }

    /// The path of a folder, which need not be Unicode.
    fn folder(self) -> Setting<Option<PathBuf>> {
        let path = self.value.filter(|path| !path.is_empty());
        Setting::parsed(self.name, path.map(parse::folder).transpose())
    }
}

/// Reads the known variables, and warns about names in `set` that are probably misspelled.
fn read(
    variable: impl Fn(&'static str) -> Option<OsString>,
    set: impl Iterator<Item = OsString>,
) -> ConfigBuilder {
    let mut builder = ConfigBuilder::new(String::new(), String::new());
    for (name, put) in VARIABLES {
        put(&mut builder, Variable { name, value: variable(name) });
    }
    let known = VARIABLES.map(|(name, _)| name);
    for (name, meant) in misspelled(&set.collect::<Vec<_>>(), &known) {
        tracing::warn!(target: LOG, "the environment variable {} is not read: {meant} may be meant", name.escape_debug());
    }
    builder
}

/// Turns a value that is not Unicode into text that no setting accepts: a URL or a number cannot hold a
/// replacement character, and a key cannot hold a control character.
fn text(value: OsString) -> String {
    value.into_string().unwrap_or_else(|value| format!("\u{0}{}", value.to_string_lossy()))
}

#[cfg(test)]
mod tests;
