//! A checked configuration and its parts.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::collector_url;
use super::hooks::Hooks;
use super::spool::Spool;
use crate::provider::operation::Endpoints;

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
    /// A layer that passes everything through and captures nothing: for tests, and to switch reporting off. Identity headers
    /// pass too; with [`ConfigBuilder::disabled`](crate::ConfigBuilder::disabled) the setting for them still applies.
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
