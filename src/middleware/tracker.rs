use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderMap, Method};

use crate::capture::{Observer, Tap};
use crate::config::{CaptureOptions, IdentityHeaders};
use crate::handoff::Sender;
use crate::identity::remove_headers;
use crate::provider::captured::Operations;
use crate::provider::operation::Operation;

/// Recognises and captures exchanges for a service, whatever its request type is.
#[derive(Clone)]
pub(super) struct Tracker(Arc<TrackerInner>);

struct TrackerInner {
    /// `None` if the layer is disabled.
    sender: Option<Sender>,
    operations: Operations,
    capturing: CaptureOptions,
}

impl Tracker {
    pub(super) fn new(sender: Option<Sender>, operations: Operations, capturing: CaptureOptions) -> Self {
        Self(Arc::new(TrackerInner { sender, operations, capturing }))
    }

    /// The called operation, if it is captured.
    #[inline]
    pub(super) fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        self.0.operations.of(method, path)
    }

    /// Begins to record a request. Both results are empty if the request is not recorded.
    #[inline(never)]
    pub(super) fn begin(
        &self,
        operation: Operation,
        headers: &HeaderMap,
        extensions: &mut Extensions,
    ) -> (Observer, Tap) {
        match &self.0.sender {
            Some(sender) => Observer::begin(sender, operation, headers, extensions),
            None => Default::default(),
        }
    }

    /// Whether nested calls are tracked while a recognised request is handled.
    pub(super) fn tracks_nesting(&self) -> bool {
        self.0.capturing.outermost_only
    }

    /// Removes the identity headers as configured. If the request leaves the application
    /// (`is_leaving`), headers that are read are removed too.
    #[inline]
    pub(super) fn pass(&self, headers: &mut HeaderMap, is_leaving: bool) {
        match self.0.capturing.identity_headers {
            IdentityHeaders::Ignore => {}
            IdentityHeaders::Read if !is_leaving => {}
            IdentityHeaders::Read | IdentityHeaders::Take => remove_headers(headers),
        }
    }
}

/// Shows nothing of the settings.
impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").finish_non_exhaustive()
    }
}
