use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use super::scope::{self, ScopeId};
use super::{Identity, Session, Tags, User};

/// Says who is asking after the layer has let a request pass: from inside a handler, after checks of its own, until the
/// response has ended.
///
/// The layer puts one into the extensions of every request that it captures. With the feature `axum` it is an extractor
/// that never rejects: on other routes, or without a layer, it does nothing. Clones mean the same request.
///
/// The last writer wins, over the extensions of the request too: a user replaces a user and ends the session of another,
/// a session replaces a session, a tag one of the same name. Calls to OpenAI that are made afterwards in the scope of the [identity
/// layer](crate::identify) have it too.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_reconify::{IdentitySlot, Session, User};
///
/// async fn chat(slot: IdentitySlot, body: String) -> String {
///     // Who it is becomes known only here:
///     slot.set_user(User::new("user-42"));
///     slot.set_session(Session::new("conversation-7"));
///     slot.tag("plan", "free");
///     format!("an answer to {body}")
/// }
/// let app: Router = Router::new().route("/v1/chat/completions", post(chat));
/// ```
#[derive(Clone, Default)]
pub struct IdentitySlot {
    /// `None` if no exchange is recorded.
    exchange: Option<Weak<dyn Attributed>>,
    /// The scope that it was taken out in, by a handler: a slot that is used elsewhere says nothing about the task there.
    scope: Option<ScopeId>,
}

/// An exchange that is counted already: as withheld, or as dropped.
struct Settled;

static SETTLED: LazyLock<Arc<Settled>> = LazyLock::new(|| Arc::new(Settled));

impl Attributed for Settled {
    fn change(&self, _: Identity) {}

    fn is_open(&self) -> bool {
        true
    }
}

/// An exchange to which it can still be said whose it is.
pub(crate) trait Attributed: Send + Sync {
    fn change(&self, later: Identity);

    /// Whether it is still under way.
    fn is_open(&self) -> bool;
}

impl IdentitySlot {
    pub(crate) fn of(exchange: Weak<dyn Attributed>) -> Self {
        Self { exchange: Some(exchange), scope: None }
    }

    /// What stands in a request that is counted already.
    pub(crate) fn settled() -> Self {
        Self { exchange: Some(Arc::downgrade(&*SETTLED) as _), scope: None }
    }

    /// The slot as a handler gets it.
    #[cfg(feature = "axum")]
    pub(crate) fn in_this_scope(self) -> Self {
        Self { scope: scope::id(), ..self }
    }

    /// Whether the request that it stands in is accounted for: an outer layer records it, or has counted it.
    pub(crate) fn is_taken(&self) -> bool {
        self.exchange.as_ref().and_then(Weak::upgrade).is_some_and(|exchange| exchange.is_open())
    }

    /// Sets the user.
    pub fn set_user(&self, user: User) {
        self.set(user);
    }

    /// Sets the session.
    pub fn set_session(&self, session: Session) {
        self.set(session);
    }

    /// Adds a tag.
    pub fn tag(&self, name: impl Into<String>, value: impl Into<String>) {
        self.set(Tags::new().with(name, value));
    }

    /// Sets all that is known of an identity: a user, a session, tags, or several of them.
    pub fn set(&self, identity: impl Into<Identity>) {
        let identity = identity.into();
        if let Some(scope) = self.scope {
            scope::change(scope, &identity);
        }
        if let Some(exchange) = self.exchange.as_ref().and_then(Weak::upgrade) {
            exchange.change(identity);
        }
    }

    /// Leaves the request out of all reports: it is counted as withheld.
    pub fn do_not_report(&self) {
        self.set(Identity::new().do_not_report());
    }

    /// Leaves the content of the request and its answer out of the report, as [`OmitContent`](crate::OmitContent) does.
    pub fn omit_content(&self) {
        self.set(Identity::new().omit_content());
    }
}

impl fmt::Debug for IdentitySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentitySlot").field("is_taken", &self.is_taken()).finish_non_exhaustive()
    }
}
