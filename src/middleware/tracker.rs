use std::sync::Arc;

use http::{Extensions, HeaderMap, Method};

use crate::capture::{Observer, Tap};
use crate::config::{CaptureOptions, IdentityHeaders};
use crate::handoff::Sender;
use crate::identity::remove_headers;
use crate::provider::operation::{Operation, Operations};

/// What a service needs to recognise and capture exchanges, whatever its requests are made of.
#[derive(Clone, Debug)]
pub(super) struct Tracker(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    /// `None` for a disabled layer.
    sender: Option<Sender>,
    operations: Operations,
    capturing: CaptureOptions,
}

impl Tracker {
    pub(super) fn new(sender: Option<Sender>, operations: Operations, capturing: CaptureOptions) -> Self {
        Self(Arc::new(Settings { sender, operations, capturing }))
    }

    /// The operation that is called, if it is one to be captured.
    #[inline]
    pub(super) fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        self.0.operations.of(method, path)
    }

    /// Begins to record a request, unless it is not to be recorded: then both are empty.
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

    /// Whether what handles a recognised request is to be known as that.
    pub(super) fn tracks_nesting(&self) -> bool {
        self.0.capturing.outermost_only
    }

    /// Lets a request pass. If `is_leaving`, nobody behind this layer may learn from its headers who is asking.
    #[inline]
    pub(super) fn pass(&self, headers: &mut HeaderMap, is_leaving: bool) {
        match self.0.capturing.identity_headers {
            IdentityHeaders::Ignore => {}
            IdentityHeaders::Read if !is_leaving => {}
            IdentityHeaders::Read | IdentityHeaders::Take => remove_headers(headers),
        }
    }
}
