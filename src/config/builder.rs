//! The setters of a configuration.

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::collector_url;
use super::defaults::{
    DEFAULT_ENDPOINT, DEFAULT_MAX_AGE, DEFAULT_MAX_ATTEMPTS, DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_BYTES,
    DEFAULT_MAX_ITEMS, DEFAULT_SPOOL_MAX_BYTES,
};
use super::hooks::Hooks;
use super::options::{Config, IdentityHeaders, Media, Responses};
use super::parse::{self, API_KEY_HINT, APP_KEY_HINT};
use super::setting::Setting;
use super::spool::Spooling;
use crate::interaction::Interaction;
use crate::provider::captured::Route;
use crate::provider::operation::Operation;

impl Config {
    /// Settings in code; the two keys are those of the Reconify console.
    ///
    /// ```
    /// use tower_reconify::Config;
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .endpoint("http://127.0.0.1:9000/track")
    ///     .session_timeout(30)
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    pub fn builder(app_key: impl Into<String>, api_key: impl Into<String>) -> ConfigBuilder {
        ConfigBuilder::new(app_key.into(), api_key.into())
    }
}

/// Collects settings for a [`Config`]. [`build`](Self::build) reports the first problem with them.
#[derive(Clone)]
pub struct ConfigBuilder {
    pub(super) app_key: Setting<SecretString>,
    pub(super) api_key: Setting<SecretString>,
    pub(super) endpoint: Setting<Url>,
    pub(super) upload_endpoint: Setting<Option<Url>>,
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
    pub(super) capture: Setting<Vec<Operation>>,
    pub(super) allow_http: Setting<bool>,
    pub(super) disabled: Setting<bool>,
    pub(super) routes: Vec<Route>,
    pub(super) max_items: usize,
    pub(super) max_bytes: usize,
    pub(super) max_body_bytes: usize,
    pub(super) max_attempts: u32,
    pub(super) max_age: Duration,
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
            capture: Setting::new("capture", Operation::on_by_default().collect()),
            allow_http: Setting::new("allow_http", false),
            disabled: Setting::new("disabled", false),
            routes: Vec::new(),
            max_items: DEFAULT_MAX_ITEMS,
            max_bytes: DEFAULT_MAX_BYTES,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            max_age: DEFAULT_MAX_AGE,
            spool: Setting::new("spool", None),
            spooling: Setting::new("spooling", Spooling::default()),
            spool_max_bytes: DEFAULT_SPOOL_MAX_BYTES,
        }
    }

    /// The two keys of the Reconify console; for keys that come from elsewhere than the other settings.
    #[must_use]
    pub fn keys(mut self, app_key: impl Into<String>, api_key: impl Into<String>) -> Self {
        self.app_key = Setting::parsed("app_key", parse::key(Some(&app_key.into()), APP_KEY_HINT));
        self.api_key = Setting::parsed("api_key", parse::key(Some(&api_key.into()), API_KEY_HINT));
        self
    }

    /// The URL to which interactions are posted. Default: `https://track.reconify.com/track`, which both of the
    /// vendor's modules use.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Setting::parsed("endpoint", collector_url::parse(&url.into()));
        self
    }

    /// The URL to which image data is posted. Default: the endpoint with its last path segment `track` replaced by
    /// `upload`; the endpoint itself where that segment has another name.
    #[must_use]
    pub fn upload_endpoint(mut self, url: impl Into<String>) -> Self {
        self.upload_endpoint =
            Setting::parsed("upload_endpoint", collector_url::parse(&url.into()).map(Some));
        self
    }

    /// The timeout of sessions that have none of their own, in minutes, from 1. Default: unset (the collector's own).
    #[must_use]
    pub fn session_timeout(mut self, minutes: u32) -> Self {
        self.session_timeout = Setting::parsed("session_timeout", parse::checked_minutes(minutes));
        self
    }

    /// Reports refused and failed exchanges too ([`Outcome`](crate::Outcome)): the error that was answered is the
    /// response, or one of our own in its shape where there is none. Default: off, because Reconify documents no shape
    /// for them; they are counted as withheld.
    #[must_use]
    pub fn report_failures(mut self, report: bool) -> Self {
        self.report_failures = Setting::new("report_failures", report);
        self
    }

    /// Gives every report a top-level `metadata` object. Default: off, because Reconify documents no such field.
    ///
    /// | field | meaning |
    /// | --- | --- |
    /// | `id` | the report's id: unique, and the same on every attempt to deliver it |
    /// | `outcome` | `answered`, `refused`, `failed`, `interrupted` or `abandoned` |
    /// | `endpoint` | the [name](Operation::as_str) of the endpoint; null for what was reported by hand |
    /// | `status` | the HTTP status of the answer, null without one |
    /// | `requestId` | the answer's `x-request-id`, null without one |
    /// | `streamed`, `chunks` | whether the answer was an event stream, and how many events with data it had |
    /// | `timeToFirstTokenMs` | from the request to the first text, tool call, refusal or reasoning of a stream that is not encoded, if it is among the first 1,000 frames; else null |
    /// | `durationMs` | from the request to the end of the answer |
    /// | `truncated` | whether request or response was longer than is reported |
    /// | `tags` | the [`Tags`](crate::Tags) in the request's extensions |
    #[must_use]
    pub fn metadata(mut self, metadata: bool) -> Self {
        self.metadata = Setting::new("metadata", metadata);
        self
    }

    /// What becomes of the Responses API. Default: it is reported as a chat.
    #[must_use]
    pub fn responses(mut self, responses: Responses) -> Self {
        self.responses = Setting::new("responses", responses);
        self
    }

    /// Which endpoints are captured, instead of the default: chat, completions, responses and images. Reconify documents
    /// no type for the others ([`Operation`] has the types that they are reported with). [Declared routes](Self::route)
    /// are captured in any case, but for those that [`responses`](Self::responses) and
    /// [`track_images`](Self::track_images) switch off.
    #[must_use]
    pub fn capture(mut self, operations: impl IntoIterator<Item: Borrow<Operation>>) -> Self {
        let operations = operations.into_iter().map(|operation| *operation.borrow()).collect();
        self.capture = Setting::new("capture", operations);
        self
    }

    /// What becomes of base64 images, sound and files in requests and answers. Default: they are reported; those of
    /// forms are reported by name, type and size in any case.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        self.media = Setting::new("media", media);
        self
    }

    /// Whether generated images are reported. Default: on, as in the vendor's modules. Images that are answered as data
    /// are taken out of the report, and posted one by one to [`upload_endpoint`](Self::upload_endpoint).
    /// Without, interactions with images only are not captured, and type and length stand for the images of the
    /// Responses API's answers.
    #[must_use]
    pub fn track_images(mut self, track: bool) -> Self {
        self.track_images = Setting::new("track_images", track);
        self
    }

    /// Whether headers say who is asking. Default: they are ignored, because whoever sends a request can set them. Turn it on
    /// where all callers are trusted services, or where a client can set nothing but headers.
    ///
    /// | header | meaning |
    /// | --- | --- |
    /// | `x-reconify-user-id`, `x-reconify-user-email` | the [`User`](crate::User) |
    /// | `x-reconify-session`, `x-reconify-session-timeout` | the [`Session`](crate::Session), and its timeout in minutes |
    /// | `x-reconify-tag-NAME` | one of the [`Tags`](crate::Tags), up to 32 |
    ///
    /// An id or address is UTF-8 of up to 256 bytes, a tag's value of up to 1,024; others are ignored, since a shortened id could be
    /// another user's. A header that occurs more than once is ignored too, whatever
    /// its values, and the other headers are read: if a proxy appends a header that a client has sent already, nothing tells
    /// which one to trust. Let the proxy remove all `x-reconify-` headers of clients before it sets its own, since a client can
    /// still set those that the proxy does not. What the request's extensions say comes first.
    #[must_use]
    pub fn identity_headers(mut self, headers: IdentityHeaders) -> Self {
        self.identity_headers = Setting::new("identity_headers", headers);
        self
    }

    /// Leaves out the calls that are made while a captured request is handled, on the same task. Default: off, because the
    /// calls that an agent makes are exchanges of their own. Turn it on for a gateway that has a layer on both sides and a
    /// reqwest client behind it. A request that is itself passed on to an inner layer, as an `http::Request` with its
    /// extensions, is captured once in any case.
    #[must_use]
    pub fn outermost_only(mut self, outermost_only: bool) -> Self {
        self.outermost_only = Setting::new("outermost_only", outermost_only);
        self
    }

    /// Allows plain `http://` to a host that is not this machine. Default: not allowed, because the keys and the
    /// conversations would cross the network in the clear.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Setting::new("allow_http", allow);
        self
    }

    /// Passes everything through and captures nothing. Default: off. All other settings are ignored, except
    /// [`identity_headers`](Self::identity_headers): a disabled layer passes or removes these headers exactly as it does when
    /// it is enabled. If `RECONIFY_IDENTITY_HEADERS` holds none of the known words, a disabled layer removes them, as with
    /// `take`; an enabled layer does not start.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Setting::new("disabled", disabled);
        self
    }

    /// Declares that `POST`s whose path ends in `path` speak the format of `operation`. It comes before the known
    /// names, so that `/agents/completions`, say, can be declared a chat. Trailing and doubled slashes do not count.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, operation: Operation) -> Self {
        self.routes.push(Route { path: path.into(), operation });
        self
    }

    /// Maximum number of ended exchanges that wait or are being delivered. Beyond it the newest is dropped and counted.
    /// Open exchanges do not count; [`max_bytes`](Self::max_bytes) limits them. Default: 10,000, ten seconds of
    /// 1,000 exchanges a second.
    #[must_use]
    pub fn max_items(mut self, items: usize) -> Self {
        self.max_items = items;
        self
    }

    /// Maximum bytes of recorded bodies and reports in memory. Beyond it the newest is dropped and counted.
    /// Default: 64 MiB, about 10,900 exchanges of 4 KiB, since each is charged 2 KiB from its start, beside its bodies. Below
    /// 2 KiB nothing is captured.
    ///
    /// A body of more than 64 KiB may fill three quarters of it, and one of more than 1 MiB half, so that large bodies leave
    /// room for small ones. A body of more than 1 MiB must therefore fit into half of it, or its exchange is dropped.
    ///
    /// A report's envelope, up to 4 KiB, may exceed the budget, and so may the one segment that is being read back from the
    /// spool: 1 MiB, or a single report that is longer. Memory that is kept for the next exchanges, 6.5 MB at most, comes on
    /// top.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Maximum bytes of one body that are kept. Default: 16 MiB, so that responses with several base64 images fit. If a
    /// body is longer, every complete event, field, message or text of a form up to this point is reported. Its last 4 KiB
    /// are kept too, for the fields that come last, like `model` and `stream`. They are not read if the body is encoded.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Maximum attempts per report. Attempts made while the collector is down do not count; it is known to be down once
    /// several reports have failed, so the attempts of a few lone reports do count. Default: 20. The pauses between them
    /// (random, up to half a second that doubles to a minute) add up to six and a half minutes on average, more than a
    /// deployment of the collector takes.
    ///
    /// An attempt counts only if the report itself may be the cause of its failure. It does not count while the collector
    /// rejects the keys, if the collector asks to wait (`Retry-After`), or if it probes whether the collector is up again.
    /// Then [`max_age`](Self::max_age) is the limit.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// How long the delivery of a report is retried after its first attempt. The next failure after that is final. Default:
    /// 72 hours, a weekend. Waiting reports count against [`max_items`](Self::max_items) and
    /// [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Keeps reports that cannot be delivered now in this folder, and delivers those that a former process left there.
    /// Default: none; reports are in memory only.
    ///
    /// The folder is made if it is not there, for this user only (0700, files 0600); any number of processes can share it. It
    /// has to be on a disk of this machine. There are no keys in it, but conversations: it is as confidential as they are.
    /// Reports of another app key are left alone. The folder can be a symbolic link, or belong to another user, but it is not
    /// used if everybody can change what is in it: `/tmp` with its sticky bit is fine, a folder with the mode 0777 is not. What is in
    /// it is not used if it is a link or another user's. A folder that cannot be used is a warning in the log, and
    /// [`Stats::spool_failures`](crate::Stats::spool_failures): the reports stay in memory, and it is tried again.
    ///
    /// Every report is delivered at least once, with the same id on every attempt. The format is in
    /// [`docs/SPOOL.md`](https://docs.rs/crate/tower-reconify/latest/source/docs/SPOOL.md).
    ///
    /// ```
    /// use tower_reconify::{Config, Spooling};
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .spool("/var/lib/gateway/reconify")
    ///     .spooling(Spooling::Always)
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = Setting::parsed("spool", parse::folder(folder.into().into_os_string()).map(Some));
        self
    }

    /// When reports go to the [spool](Self::spool). Default: when needed.
    #[must_use]
    pub fn spooling(mut self, spooling: Spooling) -> Self {
        self.spooling = Setting::new("spooling", spooling);
        self
    }

    /// How many bytes this process puts into the [spool](Self::spool). Beyond it reports stay in memory. Default: 256 MiB,
    /// an hour of 20 exchanges a second of 4 KiB. What former processes left counts, and is taken over even beyond it.
    #[must_use]
    pub fn spool_max_bytes(mut self, bytes: u64) -> Self {
        self.spool_max_bytes = bytes;
        self
    }

    /// Sampling rate per session, 0.0 (none) to 1.0 (all, the default). A session is reported as a whole or not at all: its
    /// id decides, in every process and version alike. Without a session the user's id decides, or else chance. Interactions
    /// that are left out are counted as withheld.
    #[must_use]
    pub fn sample(mut self, rate: f64) -> Self {
        self.sample = Setting::parsed("sample", parse::checked_rate(rate));
        self
    }

    /// Derives the id of the session from an interaction that has none: from its user, say, or the beginning of its
    /// conversation. It runs on a thread of the reporter, never on the caller's task. If it panics, there is no session,
    /// and [`Stats::hook_panics`](crate::Stats::hook_panics) counts it.
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

    /// Shows every interaction to a hook before it is reported: to redact, to tag, or to leave it out (`None`, counted as
    /// withheld).
    ///
    /// It runs on threads of the reporter, up to two at once, never on the caller's task. It must not wait for the reporter
    /// (`flush`), which waits for it. JSON is parsed only for a hook
    /// that asks for a tree. If it panics, the report goes without content ([`Interaction::omit_content`]), and
    /// [`Stats::hook_panics`](crate::Stats::hook_panics) counts it. An answer with image data has lost that already: the
    /// images follow as uploads, unless [`media`](Self::media) leaves them out or the hook omits the content.
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

/// Shows the routes, and neither keys nor URLs.
impl std::fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigBuilder").field("routes", &self.routes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
