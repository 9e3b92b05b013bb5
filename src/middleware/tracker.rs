use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, Method};
use tracing::{Level, enabled, level_enabled};

use crate::capture::{Observer, Tap};
use crate::config::{CaptureOptions, IdentityHeaders};
use crate::handoff::Sender;
use crate::identity::remove_headers;
use crate::names::LOG;
use crate::provider::Provider;
use crate::provider::captured::{Operations, RequestFacts};
use crate::provider::operation::Operation;

/// How many paths of requests that are not captured are logged, and how long they may be.
const MOST_PATHS: usize = 32;
const MOST_PATH_BYTES: usize = 256;

/// Recognises and captures exchanges for a service, whatever its request type is.
#[derive(Clone)]
pub(super) struct Tracker(Arc<TrackerInner>);

struct TrackerInner {
    /// `None` if the layer is disabled.
    sender: Option<Sender>,
    /// The paths of requests that were not captured, as far as they were logged.
    passed: Mutex<BTreeSet<String>>,
    operations: Operations,
    capturing: CaptureOptions,
}

impl Tracker {
    pub(super) fn new(sender: Option<Sender>, operations: Operations, capturing: CaptureOptions) -> Self {
        Self(Arc::new(TrackerInner { sender, passed: Mutex::default(), operations, capturing }))
    }

    /// A tracker that shares everything, for requests that go to one provider.
    pub(super) fn for_provider(&self, provider: Provider) -> Self {
        let TrackerInner { sender, operations, capturing, .. } = &*self.0;
        Self::new(sender.clone(), operations.for_provider(provider), *capturing)
    }

    /// The called operation, if it is captured.
    #[inline]
    pub(super) fn operation(&self, facts: &RequestFacts<'_>) -> Option<Operation> {
        let operation = self.0.operations.of(facts);
        if operation.is_none() && level_enabled!(Level::DEBUG) {
            self.log_passed(facts);
        }
        operation
    }

    /// Logs the path of a JSON `POST` once: it may be a call to a model that should be declared.
    #[cold]
    fn log_passed(&self, facts: &RequestFacts<'_>) {
        let RequestFacts { method, path, headers, .. } = *facts;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|value| value.starts_with("application/json"));
        let is_candidate = method == Method::POST && is_json && path.len() <= MOST_PATH_BYTES;
        if self.0.sender.is_none() || !is_candidate || !enabled!(target: LOG, Level::DEBUG) {
            return;
        }
        // Another caller is never waited for: the path is logged the next time.
        let Ok(mut passed) = self.0.passed.try_lock() else { return };
        if passed.len() < MOST_PATHS && passed.insert(path.to_owned()) {
            drop(passed);
            tracing::debug!(target: LOG, ?path, "a JSON POST is not captured; `route` declares calls to a model");
        }
    }

    /// Begins to record a request. Both results are empty if the request is not recorded.
    #[inline(never)]
    pub(super) fn begin(
        &self,
        operation: Operation,
        path: &str,
        headers: &HeaderMap,
        extensions: &mut Extensions,
    ) -> (Observer, Tap) {
        match &self.0.sender {
            Some(sender) => Observer::begin(sender, operation, path, headers, extensions),
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
