use std::sync::Arc;

use http::{Extensions, HeaderMap, Method};

use crate::capture::{Capture, Tap};
use crate::config::{Capturing, IdentityHeaders};
use crate::endpoint::{Endpoint, Endpoints};
use crate::identity::remove_headers;
use crate::queue::Intake;

/// What a service needs to recognise and capture exchanges, whatever its requests are made of.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    /// `None` for a disabled layer.
    intake: Option<Intake>,
    endpoints: Arc<Endpoints>,
    capturing: Capturing,
}

/// A request that may have begun to be recorded.
pub(super) struct Begun {
    pub(super) recorded: Option<(Capture, Tap)>,
    /// What handles it is to be known as that.
    pub(super) marks_task: bool,
}

impl Tracker {
    pub(super) fn new(intake: Option<Intake>, endpoints: Arc<Endpoints>, capturing: Capturing) -> Self {
        Self { intake, endpoints, capturing }
    }

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
    ) -> Begun {
        let recorded = match (&self.intake, endpoint) {
            (Some(intake), Some(endpoint)) => Capture::begin(intake, endpoint, headers, extensions),
            _ => None,
        };
        match self.capturing.identity_headers {
            IdentityHeaders::Ignore => {}
            IdentityHeaders::Read if !is_leaving => {}
            IdentityHeaders::Read | IdentityHeaders::Take => remove_headers(headers),
        }
        Begun { recorded, marks_task: endpoint.is_some() && self.capturing.outermost_only }
    }
}
