use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use super::scope::{self, ScopeId};
use super::{Identity, Session, Tags, User};

/// Sets the identity of a request that has already passed the layer.
///
/// If the user is only known inside the handler, take an `IdentitySlot`. It works until the
/// response has ended.
///
/// The layer inserts one into the extensions of every captured request. With the feature `axum` it
/// is an extractor that never rejects: on other routes, or without a layer, it does nothing. Clones
/// refer to the same request.
///
/// The last writer wins, also over the extensions of the request. A user replaces a user and ends
/// the session of another user, a session replaces a session, and a tag replaces one of the same
/// name. Later calls to a provider get the identity too, but only in the scope of an
/// [identity layer](crate::identify): add `identify::<Identity>()` if the app has no other.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_reconify::{Identity, IdentitySlot, ReconifyLayer, Session, User, identify};
///
/// async fn chat(slot: IdentitySlot, body: String) -> String {
///     // The user is only known here:
///     slot.set_user(User::new("user-42"));
///     slot.set_session(Session::new("conversation-7"));
///     slot.tag("plan", "free");
///     format!("an answer to {body}")
/// }
/// fn app(reconify: ReconifyLayer) -> Router {
///     Router::new()
///         .route("/v1/chat/completions", post(chat))
///         .layer(reconify)
///         .layer(identify::<Identity>()) // for the calls that the handler makes
/// }
/// ```
#[derive(Clone, Default)]
pub struct IdentitySlot {
    /// `None` if no exchange is recorded.
    exchange: Option<Weak<dyn Attributed>>,
    /// The scope in which a handler extracted the slot. A slot used elsewhere does not change that
    /// task's identity.
    scope: Option<ScopeId>,
}

/// An exchange already counted as withheld or dropped.
struct Settled;

static SETTLED: LazyLock<Arc<Settled>> = LazyLock::new(|| Arc::new(Settled));

impl Attributed for Settled {
    fn overlay(&self, _: Identity) {}

    fn is_open(&self) -> bool {
        true
    }
}

/// An exchange whose identity can still change.
pub(crate) trait Attributed: Send + Sync {
    fn overlay(&self, later: Identity);

    /// Whether it is still in flight.
    fn is_open(&self) -> bool;
}

impl IdentitySlot {
    pub(crate) fn of(exchange: Weak<dyn Attributed>) -> Self {
        Self { exchange: Some(exchange), scope: None }
    }

    /// The slot of a request that is already counted.
    pub(crate) fn settled() -> Self {
        Self { exchange: Some(Arc::downgrade(&*SETTLED) as _), scope: None }
    }

    /// The slot for a handler, bound to the current scope.
    #[cfg(feature = "axum")]
    pub(crate) fn in_this_scope(self) -> Self {
        Self { scope: scope::id(), ..self }
    }

    /// Whether an outer layer already records or has counted the request.
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

    /// Sets all known parts of an identity: a user, a session, tags, or several of them.
    pub fn set(&self, identity: impl Into<Identity>) {
        let identity = identity.into();
        if let Some(scope) = self.scope {
            scope::overlay(scope, &identity);
        }
        if let Some(exchange) = self.exchange.as_ref().and_then(Weak::upgrade) {
            exchange.overlay(identity);
        }
    }

    /// Opts the request out of all reports: it is counted as withheld.
    pub fn do_not_report(&self) {
        self.set(Identity::new().do_not_report());
    }

    /// Removes the content of the request and its response from the report, as
    /// [`OmitContent`](crate::OmitContent) does.
    pub fn omit_content(&self) {
        self.set(Identity::new().omit_content());
    }
}

impl fmt::Debug for IdentitySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentitySlot").field("is_taken", &self.is_taken()).finish_non_exhaustive()
    }
}
