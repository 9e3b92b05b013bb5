use std::sync::Arc;

/// The session (conversation) of a request: Reconify groups interactions by it.
///
/// Put one into the extensions of a request before the layer sees it. The id is any text; an empty
/// id counts as unset.
///
/// The timeout, in minutes, is how long Reconify waits for a further interaction before it ends the
/// session. If unset, [`ConfigBuilder::session_timeout`](crate::ConfigBuilder::session_timeout)
/// applies, and without that the collector's own default (10 minutes, according to the vendor's
/// documentation).
///
/// ```
/// use tower_reconify::Session;
///
/// let session = Session::new("conversation-7").timeout(30);
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(session);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    id: Arc<str>,
    timeout: Option<u32>,
}

impl Session {
    /// A session with the application's own id.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into().into(), timeout: None }
    }

    /// Sets the timeout in minutes; 0 counts as unset.
    #[must_use]
    pub fn timeout(mut self, minutes: u32) -> Self {
        self.timeout = Some(minutes).filter(|minutes| *minutes > 0);
        self
    }

    /// The id, or `None` if it is empty.
    pub fn id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// The memory size of its id.
    pub(super) fn bytes(&self) -> usize {
        self.id.len()
    }

    /// The timeout in minutes, if set.
    pub fn timeout_minutes(&self) -> Option<u32> {
        self.timeout
    }
}
