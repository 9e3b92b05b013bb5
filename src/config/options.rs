//! A checked configuration and its parts.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::collector_url;
use super::hooks::Hooks;
use super::spool::Spool;
use crate::provider::captured::Operations;

/// A checked configuration of a [`ReconifyLayer`](crate::ReconifyLayer).
///
/// [`Config::from_env`], [`Config::builder`] and [`Config::disabled`] make one. They report every problem with the
/// settings; nothing fails later. The `Debug` output shows no key.
#[derive(Clone, Debug)]
pub struct Config {
    /// `None` for a disabled layer.
    pub(crate) destination: Option<Destination>,
    pub(crate) reporting: Arc<ReportOptions>,
    pub(crate) capturing: CaptureOptions,
    pub(crate) operations: Operations,
    pub(crate) limits: Limits,
    pub(crate) retry_limits: RetryLimits,
    pub(crate) spool: Option<Spool>,
}

/// The collector's URLs, and the keys for them.
#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) app_key: SecretString,
    pub(crate) api_key: SecretString,
    pub(crate) endpoint: Url,
    pub(crate) upload_endpoint: Url,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Responses {
    /// It is reported as a chat: instructions and input as `messages`, the output as the message of `choices[0]`, the
    /// usage under the chat's names. A console built for chats shows it.
    #[default]
    Chat,
    /// It is reported as it crossed the wire, with a type of its own, `response`.
    Verbatim,
    /// It is not captured.
    Off,
}

/// Whether base64 images, audio and files in requests and responses are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// They are reported: generated images by uploads of their own, everything else where it stands.
    #[default]
    Keep,
    /// Type and length stand in their place, as in `"image/png, 51200 bytes"`; nothing is uploaded. The type is `image`,
    /// `audio` or `file` if the JSON does not name a more specific one.
    ///
    /// This covers `data:` URLs with base64, and base64 under `b64_json`, `partial_image_b64`, `file_data`, under `data` of
    /// `audio`, `input_audio`, `inline_data` and of objects of type `base64`, and under `result` of an
    /// `image_generation_call`. Texts (`content`, `text`, `input`, `prompt`, `arguments` and their like) stay as they are.
    /// Interactions that are reported by hand are treated the same way.
    Elide,
}

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
    /// They identify the caller, and stay in the request for the handlers behind the layer. The adapters for reqwest
    /// remove them all the same, because the request leaves the process there.
    Read,
    /// They identify the caller, and are removed: for a layer that sends the request on to OpenAI.
    Take,
}

/// The limits of what is held in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
    pub(crate) body_bytes: usize,
}

/// How often and for how long the delivery of a report is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryLimits {
    pub(crate) attempts: u32,
    pub(crate) age: Duration,
}

impl Config {
    /// A layer that passes everything through and captures nothing: for tests, and to switch reporting off. Identity headers
    /// pass too; with [`ConfigBuilder::disabled`](crate::ConfigBuilder::disabled) the setting for them still applies.
    pub fn disabled() -> Self {
        let limits = Limits { items: 0, bytes: 0, body_bytes: 0 };
        Self {
            destination: None,
            reporting: Arc::new(ReportOptions::default()),
            capturing: CaptureOptions::default(),
            operations: Operations::default(),
            limits,
            retry_limits: RetryLimits { attempts: 0, age: Duration::ZERO },
            spool: None,
        }
    }

    /// Whether this configuration makes a layer that captures nothing.
    pub fn is_disabled(&self) -> bool {
        self.destination.is_none()
    }
}
