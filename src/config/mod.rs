//! What can be set, with every default and its reason.

mod bounds;
mod build;
mod builder;
mod collector_url;
mod env;
mod hooks;
mod misspelled;
mod setting;
mod spool;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use self::builder::ConfigBuilder;
pub(crate) use self::collector_url::is_this_machine;
use self::hooks::Hooks;
pub(crate) use self::spool::Spool;
pub use self::spool::Spooling;
use crate::error::Error;
#[cfg(doc)]
use crate::provider::operation::Endpoint;
use crate::provider::operation::Endpoints;

/// Where both of the vendor's modules post interactions; the REST documentation names no address.
const DEFAULT_ENDPOINT: &str = "https://track.reconify.com/track";

/// Ten thousand items are ten seconds of 1,000 exchanges a second: enough to ride out a collector's restart.
const DEFAULT_MAX_ITEMS: usize = 10_000;

/// 64 MiB hold about 10,900 exchanges of 4 KiB, each charged 2 KiB more, and are small beside what a gateway process uses anyway.
const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Four base64 images of the largest common size are 12 to 16 MiB.
const DEFAULT_MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// With the pauses between them six and a half minutes on average.
const DEFAULT_MAX_ATTEMPTS: u32 = 20;

/// A weekend.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(72 * 60 * 60);

/// A host that does not accept within three seconds is down or unreachable; a retry finds out sooner.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One attempt, from connecting to the end of the answer: long beside a healthy collector's milliseconds, short
/// enough that a hanging one cannot hold all deliveries for long.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Enough for tens of thousands of reports a second on loopback and for hundreds over a slow link, and polite to the
/// collector.
pub(crate) const MAX_DELIVERIES: usize = 32;

/// A checked configuration of a [`ReconifyLayer`](crate::ReconifyLayer).
///
/// Made by [`Config::from_env`], [`Config::builder`] or [`Config::disabled`]; whatever is wrong with the settings is
/// said there, never later. Its `Debug` output shows no key.
#[derive(Clone, Debug)]
pub struct Config {
    /// `None` for a disabled layer.
    pub(crate) destination: Option<Destination>,
    pub(crate) reporting: Arc<Reporting>,
    pub(crate) capturing: Capturing,
    pub(crate) endpoints: Endpoints,
    pub(crate) limits: Limits,
    pub(crate) patience: Patience,
    pub(crate) spool: Option<Spool>,
}

/// Where reports go, and with which keys.
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

/// What a report holds.
#[derive(Clone, Debug)]
pub(crate) struct Reporting {
    /// The timeout of sessions that have none of their own, in minutes.
    pub(crate) session_timeout: Option<u32>,
    /// Refused and failed exchanges are reported too.
    pub(crate) failures: bool,
    /// Reports have a `metadata` object.
    pub(crate) metadata: bool,
    pub(crate) responses: Responses,
    pub(crate) media: Media,
    /// Images are reported.
    pub(crate) images: bool,
    /// The part of the sessions that is reported, from 0 to 1.
    pub(crate) sample: f64,
    pub(crate) hooks: Hooks,
}

impl Default for Reporting {
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

/// What becomes of the Responses API, for which Reconify documents no type.
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

/// What becomes of images, sound and files that are part of a request or an answer as base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// They are reported: generated images by uploads of their own, everything else where it stands.
    #[default]
    Keep,
    /// Type and length stand in their place, as in `"image/png, 51200 bytes"`; nothing is uploaded. The type is `image`,
    /// `audio` or `file` where the JSON does not say more.
    ///
    /// Found are `data:` URLs with base64, and base64 under `b64_json`, `partial_image_b64`, `file_data`, under `data` of
    /// `audio`, `input_audio`, `inline_data` and of objects of type `base64`, and under `result` of an
    /// `image_generation_call`. Texts (`content`, `text`, `input`, `prompt`, `arguments` and their like) stay as they are.
    /// What is reported by hand is treated alike.
    Elide,
}

/// How exchanges are recognised and attributed on the callers' tasks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capturing {
    /// Moments and ids are noted for the metadata.
    pub(crate) metadata: bool,
    pub(crate) identity_headers: IdentityHeaders,
    /// Exchanges within the handling of another one are not captured.
    pub(crate) outermost_only: bool,
}

/// What becomes of `x-reconify-` headers in requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentityHeaders {
    /// They mean nothing, and pass like any other header.
    #[default]
    Ignore,
    /// They say who is asking, and pass on: for a layer whose handlers want to see them. The adapters for reqwest take
    /// them out all the same, since they stand where the request leaves.
    Read,
    /// They say who is asking, and are taken out: for a layer behind which the request leaves for OpenAI.
    Take,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
    pub(crate) body_bytes: usize,
}

/// How often and how long a report is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) attempts: u32,
    pub(crate) age: Duration,
}

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

    /// A layer that passes everything through and captures nothing: for tests, and to switch reporting off. Identity headers
    /// pass too; with [`ConfigBuilder::disabled`] the setting for them still applies.
    pub fn disabled() -> Self {
        let limits = Limits { items: 0, bytes: 0, body_bytes: 0 };
        Self {
            destination: None,
            reporting: Arc::new(Reporting::default()),
            capturing: Capturing::default(),
            endpoints: Endpoints::default(),
            limits,
            patience: Patience { attempts: 0, age: Duration::ZERO },
            spool: None,
        }
    }

    /// Whether this configuration makes a layer that captures nothing.
    pub fn is_disabled(&self) -> bool {
        self.destination.is_none()
    }
}
