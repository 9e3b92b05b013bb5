//! A checked configuration and its parts.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use secrecy::SecretString;

use super::collector_url;
use super::defaults::{
    DEFAULT_CONCURRENT_DELIVERIES, DEFAULT_MAX_AGE, DEFAULT_MAX_ATTEMPTS, DEFAULT_MAX_BODY_BYTES,
    DEFAULT_MAX_BYTES, DEFAULT_MAX_ITEMS,
};
use super::hooks::Hooks;
use super::spool::{Spool, Spooling};
use crate::names::{LOG, named};
use crate::provider::captured::Operations;
use crate::provider::operation::Operation;

/// A checked configuration of a [`ReconifyLayer`](crate::ReconifyLayer).
///
/// Create one with [`Config::from_env`], [`Config::builder`] or [`Config::disabled`]. They report
/// every problem with the settings; nothing fails later. The `Debug` output contains no key.
#[derive(Clone, Debug)]
pub struct Config {
    /// `None` for a disabled layer.
    pub(crate) destination: Option<Destination>,
    pub(crate) reporting: Arc<ReportOptions>,
    pub(crate) capturing: CaptureOptions,
    pub(crate) operations: Operations,
    pub(crate) limits: Limits,
    pub(crate) retry_limits: RetryLimits,
    pub(crate) concurrent_deliveries: usize,
    pub(crate) spool: Option<Spool>,
}

/// The collector's URLs, and the keys for them.
#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) app_key: SecretString,
    #[cfg_attr(not(feature = "reqwest"), expect(dead_code, reason = "read by the HTTP transport"))]
    pub(crate) api_key: SecretString,
    pub(crate) endpoint: Uri,
    #[cfg_attr(not(feature = "reqwest"), expect(dead_code, reason = "read by the HTTP transport"))]
    pub(crate) upload_endpoint: Uri,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination")
            .field("endpoint", &collector_url::shown(&self.endpoint))
            .finish_non_exhaustive()
    }
}

/// The content of a report.
#[derive(Clone, Debug)]
pub(crate) struct ReportOptions {
    /// The timeout in minutes for sessions without a timeout of their own.
    pub(crate) session_timeout: Option<u32>,
    /// Report refused and failed exchanges too.
    pub(crate) failures: bool,
    /// Reports have a `metadata` object.
    pub(crate) metadata: bool,
    pub(crate) responses: Responses,
    pub(crate) media: Media,
    /// Report images.
    pub(crate) images: bool,
    /// The sampling rate per session, 0.0 to 1.0.
    pub(crate) sample: f64,
    pub(crate) hooks: Hooks,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            session_timeout: None,
            failures: false,
            metadata: false,
            responses: Responses::default(),
            media: Media::default(),
            images: true,
            sample: 1.0,
            hooks: Hooks::default(),
        }
    }
}

/// How interactions of the Responses API are reported. Reconify documents no type for them.
///
/// To leave them out, set [`capture`](crate::ConfigBuilder::capture) without
/// [`Operation::Responses`](crate::Operation::Responses).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Responses {
    /// As a chat: instructions and input become `messages`, the output becomes the message of
    /// `choices[0]`, and the usage gets a chat's names. Consoles built for chats show it.
    #[default]
    Chat,
    /// Unchanged, with the type `response`.
    Verbatim,
}

named!(Responses { Chat => "chat", Verbatim => "verbatim" });

/// Whether base64 images, audio and files in requests and responses are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// They are reported: generated images by uploads of their own, everything else in place.
    #[default]
    Keep,
    /// They are replaced by type and length, as in `"image/png, 51200 bytes"`, and nothing is
    /// uploaded. The type is `image`, `audio` or `file` if the JSON does not name a more specific
    /// one.
    ///
    /// This covers `data:` URLs with base64, and base64 under `b64_json`, `partial_image_b64`,
    /// `file_data`, under `data` of `audio`, `input_audio`, `inline_data` and of objects of type
    /// `base64`, and under `result` of an `image_generation_call`. Texts (`content`, `text`,
    /// `input`, `prompt`, `arguments` and the like) are kept. Interactions reported by hand are
    /// treated the same way.
    Elide,
}

named!(Media { Keep => "keep", Elide => "elide" });

/// The settings that the callers' tasks need.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CaptureOptions {
    /// Record times and ids for the metadata.
    pub(crate) metadata: bool,
    pub(crate) identity_headers: IdentityHeaders,
    /// Do not capture an exchange that happens while another one is handled.
    pub(crate) outermost_only: bool,
}

/// How `x-reconify-` headers in requests are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentityHeaders {
    /// They have no meaning, and pass like any other header.
    #[default]
    Ignore,
    /// They identify the caller, and stay in the request for the handlers behind the layer. The
    /// adapters for reqwest remove them all the same, because the request leaves the process there.
    Read,
    /// They identify the caller, and are removed: for a layer that sends the request to a provider.
    Take,
}

named!(IdentityHeaders { Ignore => "ignore", Read => "read", Take => "take" });

/// Limits on what is held in memory.
///
/// ```
/// use tower_reconify::{Config, Limits};
///
/// let limits = Limits { bytes: 256 * 1024 * 1024, ..Limits::default() };
/// let config = Config::builder("app-key", "api-key").limits(limits).build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of ended exchanges that are waiting or being delivered. Beyond it the newest
    /// one is dropped and counted. Open exchanges do not count; [`bytes`](Self::bytes) limits them.
    /// Default: 10,000, ten seconds of 1,000 exchanges per second.
    pub items: usize,
    /// Maximum bytes of recorded bodies and reports in memory. Beyond it the newest exchange is
    /// dropped and counted. Default: 64 MiB, about 10,900 exchanges of 4 KiB: each is charged 2 KiB
    /// from its start, in addition to its bodies. Below 2 KiB nothing is captured.
    ///
    /// A body over 64 KiB may fill three quarters of the budget, and one over 1 MiB half of it, so
    /// that large bodies leave room for small ones. An exchange with a body over 1 MiB that does
    /// not fit into half of the budget is therefore dropped.
    ///
    /// Three things may exceed the budget: the envelope of each report, up to 4 KiB; the one
    /// segment that is being loaded from the spool, 1 MiB or a single longer report; and memory
    /// kept for the next exchanges, at most 6.5 MB.
    pub bytes: usize,
    /// Maximum bytes of one body that are kept. Default: 16 MiB, enough for responses with several
    /// base64 images. If a body is longer, every complete event, field, message or text of a form
    /// up to this point is reported. Its last 4 KiB are kept too, for the fields that come last,
    /// such as `model` and `stream`, unless the body is encoded.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { items: DEFAULT_MAX_ITEMS, bytes: DEFAULT_MAX_BYTES, body_bytes: DEFAULT_MAX_BODY_BYTES }
    }
}

/// How often and for how long the delivery of a report is tried.
///
/// ```
/// use tower_reconify::{Config, RetryLimits};
///
/// let retry = RetryLimits { attempts: 5, ..RetryLimits::default() };
/// let config = Config::builder("app-key", "api-key").retry(retry).build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryLimits {
    /// Maximum attempts per report. Default: 20. The pauses between them (random, up to half a
    /// second that doubles to a minute) add up to six and a half minutes on average, longer than a
    /// deployment of the collector.
    ///
    /// An attempt counts only if the report itself may be the cause of the failure. It does not
    /// count while the collector is down or rejects the keys, if the collector asks to wait
    /// (`Retry-After`), or if it probes whether the collector is up again. Then
    /// [`age`](Self::age) is the limit. The collector is considered down once several reports have
    /// failed, so the attempts of a few lone reports do count.
    pub attempts: u32,
    /// How long after its first attempt a report is retried. The first failure after that is final.
    /// Default: 72 hours, a weekend. Waiting reports count against [`Limits`].
    pub age: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self { attempts: DEFAULT_MAX_ATTEMPTS, age: DEFAULT_MAX_AGE }
    }
}

impl Config {
    /// For a layer that passes everything through and captures nothing, in tests or to turn
    /// reporting off. Identity headers pass too; with
    /// [`ConfigBuilder::disabled`](crate::ConfigBuilder::disabled) the setting for them still
    /// applies.
    pub fn disabled() -> Self {
        Self {
            destination: None,
            reporting: Arc::new(ReportOptions::default()),
            capturing: CaptureOptions::default(),
            operations: Operations::default(),
            limits: Limits::default(),
            retry_limits: RetryLimits::default(),
            concurrent_deliveries: DEFAULT_CONCURRENT_DELIVERIES,
            spool: None,
        }
    }

    /// For a layer whose reports go to a test: enabled, with no valid keys.
    pub(crate) fn recording() -> Self {
        let nowhere = Uri::from_static("http://localhost/");
        let destination = Destination {
            app_key: SecretString::default(),
            api_key: SecretString::default(),
            endpoint: nowhere.clone(),
            upload_endpoint: nowhere,
        };
        let operations = Operations::new(Vec::new(), Operation::on_by_default(), false);
        Self { destination: Some(destination), operations, ..Self::disabled() }
    }

    /// Logs that reporting starts, with its main settings.
    pub(crate) fn log_start(&self, is_http: bool) {
        let endpoint = self.destination.as_ref().filter(|_| is_http).map(|to| &to.endpoint);
        let collector =
            endpoint.map_or_else(|| "a transport of the application".to_owned(), collector_url::shown);
        let spooling = self.spool.as_ref().and_then(|spool| spool.spooling).map(Spooling::as_str);
        let spool = self.spool.as_ref().map(|spool| spool.folder.display());
        let (sample, spool) = (self.reporting.sample, spool.as_ref().map(tracing::field::display));
        tracing::info!(target: LOG, collector, sample, spool, spooling, "reporting starts");
    }

    /// Whether a layer with this configuration captures nothing.
    pub fn is_disabled(&self) -> bool {
        self.destination.is_none()
    }
}
