//! The setters of a configuration.

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use secrecy::SecretString;

use super::collector_url;
use super::defaults::{DEFAULT_CONCURRENT_DELIVERIES, DEFAULT_ENDPOINT, DEFAULT_SPOOL_MAX_BYTES};
use super::hooks::Hooks;
use super::options::{Config, IdentityHeaders, Limits, Media, Responses, RetryLimits};
use super::parse::{self, API_KEY_HINT, APP_KEY_HINT};
use super::setting::Setting;
use super::spool::{Spool, Spooling};
use crate::interaction::Interaction;
use crate::provider::captured::Route;
use crate::provider::operation::Operation;

impl Config {
    /// Starts a configuration in code, with the two keys of the Reconify console.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_reconify::Config;
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .endpoint("http://127.0.0.1:9000/track")
    ///     .session_timeout(Duration::from_secs(30 * 60))
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    pub fn builder(app_key: impl Into<String>, api_key: impl Into<String>) -> ConfigBuilder {
        ConfigBuilder::new(app_key.into(), api_key.into())
    }
}

/// Builds a [`Config`]. [`build`](Self::build) reports the first problem with the settings.
#[derive(Clone)]
pub struct ConfigBuilder {
    pub(super) app_key: Setting<SecretString>,
    pub(super) api_key: Setting<SecretString>,
    pub(super) endpoint: Setting<Uri>,
    pub(super) upload_endpoint: Setting<Option<Uri>>,
    pub(super) session_timeout: Setting<Option<u32>>,
    pub(super) report_failures: Setting<bool>,
    pub(super) metadata: Setting<bool>,
    pub(super) responses: Setting<Responses>,
    pub(super) media: Setting<Media>,
    pub(super) identity_headers: Setting<IdentityHeaders>,
    pub(super) outermost_only: Setting<bool>,
    pub(super) sample: Setting<f64>,
    pub(super) hooks: Hooks,
    pub(super) track_images: Setting<bool>,
    /// `None` if the application did not choose.
    pub(super) capture: Setting<Option<Vec<Operation>>>,
    pub(super) allow_http: Setting<bool>,
    pub(super) disabled: Setting<bool>,
    pub(super) routes: Vec<Route>,
    pub(super) limits: Limits,
    pub(super) retry: RetryLimits,
    pub(super) concurrent_deliveries: usize,
    pub(super) spool: Setting<Option<PathBuf>>,
    pub(super) spooling: Setting<Spooling>,
    pub(super) spool_max_bytes: u64,
}

impl ConfigBuilder {
    pub(super) fn new(app_key: String, api_key: String) -> Self {
        Self {
            app_key: Setting::parsed("app_key", parse::key(Some(&app_key), APP_KEY_HINT)),
            api_key: Setting::parsed("api_key", parse::key(Some(&api_key), API_KEY_HINT)),
            endpoint: Setting::parsed("endpoint", collector_url::parse(DEFAULT_ENDPOINT)),
            upload_endpoint: Setting::new("upload_endpoint", None),
            session_timeout: Setting::new("session_timeout", None),
            report_failures: Setting::new("report_failures", false),
            metadata: Setting::new("metadata", false),
            responses: Setting::new("responses", Responses::default()),
            media: Setting::new("media", Media::default()),
            identity_headers: Setting::new("identity_headers", IdentityHeaders::default()),
            outermost_only: Setting::new("outermost_only", false),
            sample: Setting::new("sample", 1.0),
            hooks: Hooks::default(),
            track_images: Setting::new("track_images", true),
            capture: Setting::new("capture", None),
            allow_http: Setting::new("allow_http", false),
            disabled: Setting::new("disabled", false),
            routes: Vec::new(),
            limits: Limits::default(),
            retry: RetryLimits::default(),
            concurrent_deliveries: DEFAULT_CONCURRENT_DELIVERIES,
            spool: Setting::new("spool", None),
            spooling: Setting::new("spooling", Spooling::default()),
            spool_max_bytes: DEFAULT_SPOOL_MAX_BYTES,
        }
    }

    /// Sets the two keys of the Reconify console, for keys that do not come from where the other
    /// settings come from.
    #[must_use]
    pub fn keys(mut self, app_key: impl Into<String>, api_key: impl Into<String>) -> Self {
        self.app_key = Setting::parsed("app_key", parse::key(Some(&app_key.into()), APP_KEY_HINT));
        self.api_key = Setting::parsed("api_key", parse::key(Some(&api_key.into()), API_KEY_HINT));
        self
    }

    /// Sets the URL to which interactions are posted. Default: `https://track.reconify.com/track`,
    /// the address in both of the vendor's modules.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Setting::parsed("endpoint", collector_url::parse(&url.into()));
        self
    }

    /// Sets the URL to which image data is posted. Default: the endpoint with its last path segment
    /// `track` replaced by `upload`, or the endpoint itself if that segment has another name.
    #[must_use]
    pub fn upload_endpoint(mut self, url: impl Into<String>) -> Self {
        self.upload_endpoint =
            Setting::parsed("upload_endpoint", collector_url::parse(&url.into()).map(Some));
        self
    }

    /// Sets the timeout of sessions that have none of their own. Reconify takes whole minutes, so
    /// the time is rounded up; zero is an error. Default: unset, the collector's own timeout.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = Setting::parsed("session_timeout", parse::checked_timeout(timeout));
        self
    }

    /// Also reports refused and failed exchanges ([`Outcome`](crate::Outcome)). The response is the
    /// error that was received, or if there was no response, an error of the same shape. Default:
    /// off, because Reconify documents no format for them; they are counted as withheld.
    #[must_use]
    pub fn report_failures(mut self, report: bool) -> Self {
        self.report_failures = Setting::new("report_failures", report);
        self
    }

    /// Adds a `metadata` object to every report. Default: off, because Reconify documents no such
    /// field.
    ///
    /// | field | meaning |
    /// | --- | --- |
    /// | `id` | the report's id: unique, and the same on every delivery attempt |
    /// | `outcome` | `answered`, `refused`, `failed`, `interrupted` or `abandoned` |
    /// | `endpoint` | the [name](Operation::as_str) of the operation; null for interactions reported by hand |
    /// | `status` | the HTTP status of the response, or null without a response |
    /// | `requestId` | the request id in the header of the response that the provider has for it (`x-request-id`, `request-id`, `x-amzn-requestid` and others), or null |
    /// | `streamed`, `chunks` | whether the response was a stream (server-sent events, lines, an array or binary events), and its number of events with data |
    /// | `skipped` | the number of events that could not be read |
    /// | `timeToFirstTokenMs` | from the request to the first text, tool call, refusal or reasoning of an unencoded stream, if it is in the first 1,000 frames; else null |
    /// | `durationMs` | from the request to the end of the response |
    /// | `truncated` | whether the request or response was longer than what is reported |
    /// | `tags` | the [`Tags`](crate::Tags) in the request's extensions |
    #[must_use]
    pub fn metadata(mut self, metadata: bool) -> Self {
        self.metadata = Setting::new("metadata", metadata);
        self
    }

    /// Sets how interactions of the Responses API are reported. Default: as chats.
    #[must_use]
    pub fn responses(mut self, responses: Responses) -> Self {
        self.responses = Setting::new("responses", responses);
        self
    }

    /// Sets which operations are captured. Default: those of every provider except OpenAI's
    /// embeddings, moderations and audio, because Reconify documents no type for these.
    /// [`Operation`] lists the types that they are reported with.
    ///
    /// Applications have some of the paths themselves, such as `/v1/chat`. By default, these are
    /// captured only with proof that the request goes to the provider: its host, or a header.
    /// Operations set here are captured under their paths without proof, on every host, so set only
    /// those that your routes mean. [`Provider::operations`](crate::Provider::operations) lists those
    /// of a provider. [Declared routes](Self::route) are captured in any case, unless
    /// [`track_images`](Self::track_images) turns them off.
    #[must_use]
    pub fn capture(mut self, operations: impl IntoIterator<Item: Borrow<Operation>>) -> Self {
        let operations = operations.into_iter().map(|operation| *operation.borrow()).collect();
        self.capture = Setting::new("capture", Some(operations));
        self
    }

    /// Sets whether base64 images, audio and files in requests and responses are reported. Default:
    /// they are. Files in forms are always reported by name, type and size.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        self.media = Setting::new("media", media);
        self
    }

    /// Sets whether generated images are reported. Default: on, as in the vendor's modules. Images
    /// that a response contains as data are removed from the report, and posted one by one to
    /// [`upload_endpoint`](Self::upload_endpoint). If off, image operations are not captured, and
    /// images in other responses are replaced by type and length.
    ///
    /// Images in responses of Gemini stay in the report, and are never posted.
    #[must_use]
    pub fn track_images(mut self, track: bool) -> Self {
        self.track_images = Setting::new("track_images", track);
        self
    }

    /// Sets whether headers identify the caller. Default: they are ignored, because every client
    /// can set them. Use this if all callers are trusted services, or if a client can set only
    /// headers.
    ///
    /// | header | meaning |
    /// | --- | --- |
    /// | `x-reconify-user-id`, `x-reconify-user-email` | the [`User`](crate::User) |
    /// | `x-reconify-session`, `x-reconify-session-timeout` | the [`Session`](crate::Session), and its timeout in minutes |
    /// | `x-reconify-tag-NAME` | one of the [`Tags`](crate::Tags), up to 32 |
    ///
    /// Ids and addresses are UTF-8 of up to 256 bytes, tag values of up to 1,024 bytes. Longer ones
    /// are ignored, since a shortened id could be another user's. A header that occurs more than
    /// once is ignored too: if a proxy appends its value to the client's, the two cannot be told
    /// apart. Have the proxy remove all `x-reconify-` headers before it sets its own; otherwise
    /// clients can still set those that the proxy does not. An identity in the request's extensions
    /// takes precedence.
    #[must_use]
    pub fn identity_headers(mut self, headers: IdentityHeaders) -> Self {
        self.identity_headers = Setting::new("identity_headers", headers);
        self
    }

    /// Does not capture calls that are made while a captured request is handled, on the same task.
    /// Default: off, because the calls of an agent are exchanges of their own. Turn it on for a
    /// gateway with a layer on both sides and a reqwest client behind it. An `http::Request` that is
    /// passed to an inner layer with its extensions is captured only once in any case.
    #[must_use]
    pub fn outermost_only(mut self, outermost_only: bool) -> Self {
        self.outermost_only = Setting::new("outermost_only", outermost_only);
        self
    }

    /// Allows plain `http://` to another machine. Default: not allowed, because keys and
    /// conversations would cross the network unencrypted.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Setting::new("allow_http", allow);
        self
    }

    /// Passes everything through and captures nothing. Default: off. All other settings are ignored
    /// except [`identity_headers`](Self::identity_headers): a disabled layer passes or removes these
    /// headers exactly as an enabled one does. If `RECONIFY_IDENTITY_HEADERS` has an unknown value,
    /// a disabled layer removes them, as with `take`, and an enabled one is an error.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Setting::new("disabled", disabled);
        self
    }

    /// Declares that `POST`s whose path ends in `path` are `operation`s. Declared routes take
    /// precedence over known paths, so that `/agents/completions`, for example, can be declared a
    /// chat. Trailing and repeated slashes are ignored.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, operation: Operation) -> Self {
        self.routes.push(Route { path: path.into(), operation });
        self
    }

    /// Sets the limits on what is held in memory. A limit of zero is an error.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how often and for how long the delivery of a report is tried. Zero attempts are an
    /// error.
    #[must_use]
    pub fn retry(mut self, retry: RetryLimits) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many reports are sent at once, from 1 to 1,024. Default: 32, which is enough for
    /// hundreds of reports a second over a slow link. A program that forwards a backlog to a distant
    /// collector needs more: the rate is this number divided by the time of one attempt.
    #[must_use]
    pub fn concurrent_deliveries(mut self, most: usize) -> Self {
        self.concurrent_deliveries = most;
        self
    }

    /// Keeps reports that cannot be delivered now on disk, and delivers those that an earlier
    /// process left there. Default: none; reports are in memory only.
    #[must_use]
    pub fn spool(mut self, spool: Spool) -> Self {
        let Spool { folder, spooling, max_bytes } = spool;
        self.spool = Setting::parsed("spool", parse::folder(folder.into_os_string()).map(Some));
        if let Some(spooling) = spooling {
            self.spooling = Setting::new("spooling", spooling);
        }
        self.spool_max_bytes = max_bytes.unwrap_or(self.spool_max_bytes);
        self
    }

    /// Sets the sampling rate per session, 0.0 to 1.0 (the default: all). A session is reported as
    /// a whole or not at all: its id decides, in every process and version alike. Without a session
    /// the user's id decides, and without either, chance. Other interactions are counted as
    /// withheld.
    #[must_use]
    pub fn sample(mut self, rate: f64) -> Self {
        self.sample = Setting::parsed("sample", parse::checked_rate(rate));
        self
    }

    /// Sets a hook that derives the session's id for interactions without one, for example from the
    /// user or from the beginning of the conversation. It runs on a thread of the reporter, never
    /// on the caller's task. If it panics, the interaction has no session, and
    /// [`Stats::hook_panics`](crate::Stats::hook_panics) counts it.
    ///
    /// ```
    /// use tower_reconify::{Config, Interaction, User};
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .session_from(|interaction: &Interaction| {
    ///         interaction.identity().user().and_then(User::id).map(|id| format!("all of {id}"))
    ///     })
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn session_from(
        mut self,
        hook: impl Fn(&Interaction) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.session = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that sees every interaction before it is reported. It can redact or tag it, or
    /// return `None` to leave it out (counted as withheld).
    ///
    /// It runs on threads of the reporter, up to two at once, never on the caller's task. It must
    /// not wait for a `flush` of the reporter, which waits for the hook. JSON is parsed only for a
    /// hook that asks for a tree. If the hook panics, the report has no content
    /// ([`Interaction::omit_content`]), and [`Stats::hook_panics`](crate::Stats::hook_panics)
    /// counts it. Image data has been removed from the response at this point: the images follow as
    /// uploads, unless [`media`](Self::media) leaves them out or the hook omits the content.
    ///
    /// ```
    /// use tower_reconify::Config;
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .before_send(|mut interaction| {
    ///         if interaction.request().contains("internal-model") {
    ///             return None;
    ///         }
    ///         if let Some(user) = interaction.request_mut().get_mut("user") {
    ///             *user = "redacted".into();
    ///         }
    ///         Some(interaction.tag("redacted", "yes"))
    ///     })
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn before_send(
        mut self,
        hook: impl Fn(Interaction) -> Option<Interaction> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.before_send = Some(Arc::new(hook));
        self
    }
}

/// Contains the routes, and neither keys nor URLs.
impl std::fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigBuilder").field("routes", &self.routes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
