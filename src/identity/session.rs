use std::sync::Arc;

/// The session (conversation) that a request belongs to: Reconify groups interactions by it.
///
/// Put one into the extensions of a request before the layer sees it. The id is any text; an empty one counts as none.
/// The timeout, in minutes, is how long Reconify waits for a further interaction before it ends the session; unset,
/// that of [`ConfigBuilder::session_timeout`](crate::ConfigBuilder::session_timeout) holds, and without that the
/// collector's own (10 minutes, says the vendor's documentation).
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
    /// A session with the application's own id for it.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into().into(), timeout: None }
    }

    /// Sets the timeout, in minutes; 0 counts as unset.
    #[must_use]
    pub fn timeout(mut self, minutes: u32) -> Self {
        self.timeout = Some(minutes).filter(|minutes| *minutes > 0);
        self
    }

    /// The id, or `None` for an empty one.
    pub fn id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// How much memory its id takes.
    pub(super) fn bytes(&self) -> usize {
        self.id.len()
    }

    /// The timeout in minutes, if it is set.
    pub fn timeout_minutes(&self) -> Option<u32> {
        self.timeout
    }
}
