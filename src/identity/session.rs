use std::sync::Arc;
use std::time::Duration;

/// The session (conversation) of a request: Reconify groups interactions by it.
///
/// Put one into the extensions of a request before the layer sees it. The id is any text; an empty
/// id counts as unset.
///
/// The timeout is how long Reconify waits for a further interaction before it ends the session. If
/// unset, [`ConfigBuilder::session_timeout`](crate::ConfigBuilder::session_timeout)
/// applies, and without that the collector's own default (10 minutes, according to the vendor's
/// documentation).
///
/// ```
/// use std::time::Duration;
/// use tower_reconify::Session;
///
/// let session = Session::new("conversation-7").with_timeout(Duration::from_secs(30 * 60));
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(session);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    id: Arc<str>,
    minutes: Option<u32>,
}

impl Session {
    /// A session with the application's own id.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into().into(), minutes: None }
    }

    /// Sets the timeout. Reconify takes whole minutes, so it is rounded up; zero counts as unset.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.minutes = whole_minutes(timeout);
        self
    }

    /// The id, or `None` if it is empty.
    pub fn id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// The memory size of its id.
    pub(crate) fn bytes(&self) -> usize {
        self.id.len()
    }

    /// The timeout in whole minutes, if set.
    pub(crate) fn minutes(&self) -> Option<u32> {
        self.minutes
    }

    /// The timeout, if set.
    pub fn timeout(&self) -> Option<Duration> {
        self.minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)))
    }
}

/// The time in minutes, rounded up, as Reconify takes it. `None` for zero.
pub(crate) fn whole_minutes(time: Duration) -> Option<u32> {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    let minutes = u32::try_from(seconds.div_ceil(60)).unwrap_or(u32::MAX);
    Some(minutes).filter(|minutes| *minutes > 0)
}
