use std::sync::Arc;

use http::{Extensions, HeaderMap, Method};

use crate::capture::{Capture, Tap};
use crate::config::IdentityHeaders;
use crate::endpoint::{Endpoint, Endpoints};
use crate::identity::remove_headers;
use crate::queue::Intake;

/// What a service needs to recognise and capture exchanges, whatever its requests are made of.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    pub(super) intake: Intake,
    pub(super) endpoints: Arc<Endpoints>,
}

impl Tracker {
    /// The endpoint that is called, if it is one to be captured.
    pub(super) fn endpoint(&self, method: &Method, path: &str) -> Option<Endpoint> {
        self.endpoints.of(method, path)
    }

    /// Begins to record a request. If `is_leaving`, nobody behind this layer may learn from its headers who is asking.
    pub(super) fn begin(
        &self,
        endpoint: Option<Endpoint>,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
        is_leaving: bool,
    ) -> Option<(Capture, Tap)> {
        let begun = endpoint.and_then(|endpoint| Capture::begin(&self.intake, endpoint, headers, extensions));
        match self.intake.capturing().identity_headers {
            IdentityHeaders::Ignore => {}
            IdentityHeaders::Read if !is_leaving => {}
            IdentityHeaders::Read | IdentityHeaders::Take => remove_headers(headers),
        }
        begun
    }
}
