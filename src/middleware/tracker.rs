use std::sync::Arc;

use http::{Extensions, HeaderMap, Method};

use crate::capture::{Capture, Tap};
use crate::config::IdentityHeaders;
use crate::endpoint::Endpoints;
use crate::identity::remove_headers;
use crate::queue::Intake;

/// What a service needs to recognise and capture exchanges, whatever its requests are made of.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    pub(super) intake: Intake,
    pub(super) endpoints: Arc<Endpoints>,
}

/// A request, as far as it decides whether and how it is captured.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) headers: &'a mut HeaderMap,
    pub(super) extensions: &'a mut Extensions,
    /// It leaves the process: nobody behind this layer may learn who is asking.
    pub(super) is_leaving: bool,
}

impl Tracker {
    /// Begins to record a request, if it is one to be captured.
    pub(super) fn begin(&self, asked: Asked<'_>) -> Option<(Capture, Tap)> {
        let Asked { method, path, headers, extensions, is_leaving } = asked;
        let endpoint = self.endpoints.of(method, path);
        let begun = endpoint.and_then(|endpoint| Capture::begin(&self.intake, endpoint, headers, extensions));
        match self.intake.capturing().identity_headers {
            IdentityHeaders::Ignore => {}
            IdentityHeaders::Read if !is_leaving => {}
            IdentityHeaders::Read | IdentityHeaders::Take => remove_headers(headers),
        }
        begun
    }
}
