//! From an inbound request to the calls that are made while it is handled.

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

/// The number of the last scope; zero before the first.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Tells scopes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScopeId(NonZeroU64);

impl ScopeId {
    pub(crate) fn new() -> Self {
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Relaxed)))
    }
}

pin_project! {
    /// A future in the scope of an [`Identity`]: made by [`Identity::scope`].
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
    /// Runs a future in the scope of this identity: calls to OpenAI that it makes through a layer have it, where they
    /// carry none of their own.
    ///
    /// The layer made by [`identify`](crate::identify) does this for every handler and for the body of its response. A
    /// scope does not reach into tasks that are spawned inside it; [`current`](Self::current) does:
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
    ///             // A call to OpenAI here is the user's.
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

    /// The identity in whose scope this is called; an empty one outside of any.
    pub fn current() -> Self {
        CURRENT.try_with(|(_, current)| current.borrow().clone()).unwrap_or_default()
    }

    /// The identity in whose scope this is called, if there is one that says anything.
    #[inline]
    pub(crate) fn around() -> Option<Self> {
        // Whoever opens no scopes pays nothing for them.
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

    /// Runs a function in the scope of this identity, which takes over what is said of it meanwhile.
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
    /// The same in a scope that is known already.
    #[cfg(feature = "axum")]
    pub(crate) fn with(identity: Identity, id: ScopeId, inner: F) -> Self {
        Self { inner, identity, id }
    }

    /// The identity, as it is now.
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

/// The scope that this is called in.
#[cfg(feature = "axum")]
pub(crate) fn id() -> Option<ScopeId> {
    CURRENT.try_with(|(id, _)| *id).ok()
}

/// Says something of the identity of this scope, if it is the one that is meant.
pub(crate) fn change(meant: ScopeId, identity: &Identity) {
    let _ = CURRENT.try_with(|(id, current)| {
        if *id == meant {
            current.borrow_mut().change(identity.clone());
        }
    });
}
