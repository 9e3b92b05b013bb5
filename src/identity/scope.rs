//! Carries an identity from an inbound request to the calls made while it is handled.

use std::cell::RefCell;
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Identity;

tokio::task_local! {
    static CURRENT: (ScopeId, RefCell<Identity>);
}

/// The number of the latest scope; zero before the first.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The identifier of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScopeId(NonZeroU64);

impl ScopeId {
    pub(crate) fn new() -> Self {
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Relaxed)))
    }
}

pin_project! {
    /// A future in the scope of an [`Identity`], made by [`Identity::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        #[pin]
        inner: F,
        identity: Identity,
        id: ScopeId,
    }
}

impl Identity {
    /// Runs a future in the scope of this identity. Calls to a provider that it makes through a layer
    /// get this identity, unless they have their own.
    ///
    /// The layer made by [`identify`](crate::identify) does this for every handler and for the body
    /// of its response. What counts is when a request is sent: a client may return a stream that
    /// sends it when it is first polled, so read such a stream in the scope.
    ///
    /// Task-locals do not cross `tokio::spawn`; pass [`current`](Self::current) along:
    ///
    /// ```
    /// use tower_reconify::{Identity, User};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let identity = Identity::from(User::new("user-42"));
    /// identity
    ///     .scope(async {
    ///         let here = Identity::current();
    ///         let task = tokio::spawn(here.scope(async {
    ///             // A call to a provider here belongs to the user.
    ///             Identity::current().user().cloned()
    ///         }));
    ///         assert_eq!(task.await.unwrap(), Some(User::new("user-42")));
    ///     })
    ///     .await;
    /// # }
    /// ```
    pub fn scope<F: Future>(self, future: F) -> Scope<F> {
        Scope { inner: future, identity: self, id: ScopeId::new() }
    }

    /// The identity of the current scope; an empty one outside any scope.
    pub fn current() -> Self {
        CURRENT.try_with(|(_, current)| current.borrow().clone()).unwrap_or_default()
    }

    /// The identity of the current scope, if there is one and it is not empty.
    #[inline]
    pub(crate) fn from_scope() -> Option<Self> {
        // Applications without scopes skip the look-up.
        if LAST.load(Relaxed) == 0 { None } else { Self::said_around() }
    }

    #[inline(never)]
    fn said_around() -> Option<Self> {
        let around = CURRENT.try_with(|(_, current)| {
            let current = current.borrow();
            (!current.is_empty()).then(|| current.clone())
        });
        around.ok().flatten()
    }

    /// Runs a function in the scope of this identity, and keeps the changes made meanwhile.
    pub(crate) fn enter<T>(&mut self, id: ScopeId, function: impl FnOnce() -> T) -> T {
        let mut after = Self::default();
        let result = CURRENT.sync_scope((id, RefCell::new(std::mem::take(self))), || {
            let result = function();
            after = CURRENT.with(|(_, current)| current.take());
            result
        });
        *self = after;
        result
    }
}

impl<F> Scope<F> {
    /// A scope with an existing id.
    #[cfg(feature = "axum")]
    pub(crate) fn with(identity: Identity, id: ScopeId, inner: F) -> Self {
        Self { inner, identity, id }
    }

    /// The current identity of the scope.
    #[cfg(feature = "axum")]
    pub(crate) fn identity(self: Pin<&mut Self>) -> Identity {
        self.project().identity.clone()
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.identity.enter(*this.id, || this.inner.poll(cx))
    }
}

/// The id of the current scope.
#[cfg(feature = "axum")]
pub(crate) fn id() -> Option<ScopeId> {
    CURRENT.try_with(|(id, _)| *id).ok()
}

/// Updates the identity of the current scope, if that is the intended one.
pub(crate) fn overlay(meant: ScopeId, identity: &Identity) {
    let _ = CURRENT.try_with(|(id, current)| {
        if *id == meant {
            current.borrow_mut().overlay(identity.clone());
        }
    });
}
