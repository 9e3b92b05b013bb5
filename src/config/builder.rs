use std::ffi::OsString;
use std::time::Duration;

use super::env;
use super::hooks::Hooks;
use super::setting::{Captured, Choice, Flag, Number, Part, Setting};
use super::{
    DEFAULT_MAX_AGE, DEFAULT_MAX_ATTEMPTS, DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_BYTES, DEFAULT_MAX_ITEMS,
    IdentityHeaders, Media, Responses,
};
#[cfg(doc)]
use crate::config::Config;
use crate::provider::operation::{Endpoint, Route};

/// Collects settings for a [`Config`]; nothing is checked before [`build`](Self::build).
#[derive(Clone)]
pub struct ConfigBuilder {
    pub(super) app_key: Setting<String>,
    pub(super) api_key: Setting<String>,
    pub(super) endpoint: Setting<String>,
    pub(super) upload_endpoint: Setting<String>,
    pub(super) session_timeout: Setting<Number>,
    pub(super) report_failures: Setting<Flag>,
    pub(super) metadata: Setting<Flag>,
    pub(super) responses: Setting<Choice<Responses>>,
    pub(super) media: Setting<Choice<Media>>,
    pub(super) identity_headers: Setting<Choice<IdentityHeaders>>,
    pub(super) outermost_only: Setting<Flag>,
    pub(super) sample: Setting<Part>,
    pub(super) hooks: Hooks,
    pub(super) track_images: Setting<Flag>,
    pub(super) capture: Setting<Captured>,
    pub(super) allow_http: Setting<Flag>,
    pub(super) disabled: Setting<Flag>,
    pub(super) routes: Vec<Route>,
    pub(super) max_items: usize,
    pub(super) max_bytes: usize,
    pub(super) max_body_bytes: usize,
    pub(super) max_attempts: u32,
    pub(super) max_age: Duration,
    pub(super) spool: Setting<OsString>,
    pub(super) spooling: Setting<Choice<super::Spooling>>,
    pub(super) spool_max_bytes: u64,
}

impl ConfigBuilder {
    pub(super) fn new(app_key: String, api_key: String) -> Self {
        Self {
            app_key: Setting { name: "app_key", value: Some(app_key) },
            api_key: Setting { name: "api_key", value: Some(api_key) },
            endpoint: Setting { name: "endpoint", value: None },
            upload_endpoint: Setting { name: "upload_endpoint", value: None },
            session_timeout: Setting { name: "session_timeout", value: None },
            report_failures: Setting { name: "report_failures", value: None },
            metadata: Setting { name: "metadata", value: None },
            responses: Setting { name: "responses", value: None },
            media: Setting { name: "media", value: None },
            identity_headers: Setting { name: "identity_headers", value: None },
            outermost_only: Setting { name: "outermost_only", value: None },
            sample: Setting { name: "sample", value: None },
            hooks: Hooks::default(),
            track_images: Setting { name: "track_images", value: None },
            capture: Setting { name: "capture", value: None },
            allow_http: Setting { name: "allow_http", value: None },
            disabled: Setting { name: "disabled", value: None },
            routes: Vec::new(),
            max_items: DEFAULT_MAX_ITEMS,
            max_bytes: DEFAULT_MAX_BYTES,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            max_age: DEFAULT_MAX_AGE,
            spool: Setting { name: "spool", value: None },
            spooling: Setting { name: "spooling", value: None },
            spool_max_bytes: super::spool::DEFAULT_MAX_BYTES,
        }
    }

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
        env::read(std::env::var_os::<&str>, std::env::vars_os().map(|(name, _)| name))
    }

    /// The two keys of the Reconify console; for keys that come from elsewhere than the other settings.
    #[must_use]
    pub fn keys(mut self, app_key: impl Into<String>, api_key: impl Into<String>) -> Self {
        self.app_key = Setting { name: "app_key", value: Some(app_key.into()) };
        self.api_key = Setting { name: "api_key", value: Some(api_key.into()) };
        self
    }

    /// The URL to which interactions are posted. Default: `https://track.reconify.com/track`, which both of the
    /// vendor's modules use.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Setting { name: "endpoint", value: Some(url.into()) };
        self
    }

    /// The URL to which image data is posted. Default: the endpoint with its last path segment `track` replaced by
    /// `upload`; the endpoint itself where that segment has another name.
    #[must_use]
    pub fn upload_endpoint(mut self, url: impl Into<String>) -> Self {
        self.upload_endpoint = Setting { name: "upload_endpoint", value: Some(url.into()) };
        self
    }

    /// The timeout of sessions that have none of their own, in minutes, from 1. Default: unset (the collector's own).
    #[must_use]
    pub fn session_timeout(mut self, minutes: u32) -> Self {
        self.session_timeout = Setting { name: "session_timeout", value: Some(Number::Value(minutes)) };
        self
    }

    /// Reports refused and failed exchanges too ([`Outcome`](crate::Outcome)): the error that was answered is the
    /// response, or one of our own in its shape where there is none. Default: off, because Reconify documents no shape
    /// for them; they are counted as withheld.
    #[must_use]
    pub fn report_failures(mut self, report: bool) -> Self {
        self.report_failures = Setting { name: "report_failures", value: Some(Flag::Value(report)) };
        self
    }

    /// Gives every report a top-level `metadata` object. Default: off, because Reconify documents no such field.
    ///
    /// | field | meaning |
    /// | --- | --- |
    /// | `id` | the report's id: unique, and the same on every attempt to deliver it |
    /// | `outcome` | `answered`, `refused`, `failed`, `interrupted` or `abandoned` |
    /// | `endpoint` | the [name](Endpoint::name) of the endpoint; null for what was reported by hand |
    /// | `status` | the HTTP status of the answer, null without one |
    /// | `requestId` | the answer's `x-request-id`, null without one |
    /// | `streamed`, `chunks` | whether the answer was an event stream, and how many events with data it had |
    /// | `timeToFirstTokenMs` | from the request to the first text, tool call, refusal or reasoning of a stream that is not encoded, if it is among the first 1,000 frames; else null |
    /// | `durationMs` | from the request to the end of the answer |
    /// | `truncated` | whether request or response was longer than is reported |
    /// | `tags` | the [`Tags`](crate::Tags) in the request's extensions |
    #[must_use]
    pub fn metadata(mut self, metadata: bool) -> Self {
        self.metadata = Setting { name: "metadata", value: Some(Flag::Value(metadata)) };
        self
    }

    /// What becomes of the Responses API. Default: it is reported as a chat.
    #[must_use]
    pub fn responses(mut self, responses: Responses) -> Self {
        self.responses = Setting { name: "responses", value: Some(Choice::Value(responses)) };
        self
    }

    /// Which endpoints are captured, instead of the default: chat, completions, responses and images. Reconify documents
    /// no type for the others ([`Endpoint`] has the types that they are reported with). [Declared routes](Self::route)
    /// are captured in any case, but for those that [`responses`](Self::responses) and
    /// [`track_images`](Self::track_images) switch off.
    #[must_use]
    pub fn capture(mut self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let endpoints = endpoints.into_iter().collect();
        self.capture = Setting { name: "capture", value: Some(Captured::Value(endpoints)) };
        self
    }

    /// What becomes of base64 images, sound and files in requests and answers. Default: they are reported; those of
    /// forms are reported by name, type and size in any case.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        self.media = Setting { name: "media", value: Some(Choice::Value(media)) };
        self
    }

    /// Whether generated images are reported. Default: on, as in the vendor's modules. Images that are answered as data
    /// are taken out of the report, and posted one by one to [`upload_endpoint`](Self::upload_endpoint).
    /// Without, interactions with images only are not captured, and type and length stand for the images of the
    /// Responses API's answers.
    #[must_use]
    pub fn track_images(mut self, track: bool) -> Self {
        self.track_images = Setting { name: "track_images", value: Some(Flag::Value(track)) };
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
        self.identity_headers = Setting { name: "identity_headers", value: Some(Choice::Value(headers)) };
        self
    }

    /// Leaves out the calls that are made while a captured request is handled, on the same task. Default: off, because the
    /// calls that an agent makes are exchanges of their own. Turn it on for a gateway that has a layer on both sides and a
    /// reqwest client behind it. A request that is itself passed on to an inner layer, as an `http::Request` with its
    /// extensions, is captured once in any case.
    #[must_use]
    pub fn outermost_only(mut self, outermost_only: bool) -> Self {
        self.outermost_only = Setting { name: "outermost_only", value: Some(Flag::Value(outermost_only)) };
        self
    }

    /// Allows plain `http://` to a host that is not this machine. Default: not allowed, because the keys and the
    /// conversations would cross the network in the clear.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Setting { name: "allow_http", value: Some(Flag::Value(allow)) };
        self
    }

    /// Passes everything through and captures nothing. Default: off. All other settings are ignored, except
    /// [`identity_headers`](Self::identity_headers): a disabled layer passes or removes these headers exactly as it does when
    /// it is enabled. If `RECONIFY_IDENTITY_HEADERS` holds none of the known words, a disabled layer removes them, as with
    /// `take`; an enabled layer does not start.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Setting { name: "disabled", value: Some(Flag::Value(disabled)) };
        self
    }

    /// Declares that `POST`s whose path ends in `path` speak the format of `endpoint`. It comes before the known
    /// names, so that `/agents/completions`, say, can be declared a chat. Trailing and doubled slashes do not count.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, endpoint: Endpoint) -> Self {
        self.routes.push(Route { path: path.into(), endpoint });
        self
    }
}

/// Shows which settings are there, and neither keys nor URLs.
impl std::fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigBuilder").field("routes", &self.routes).finish_non_exhaustive()
    }
}
