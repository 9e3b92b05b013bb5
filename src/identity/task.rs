//! From an inbound request to the calls that are made while it is handled.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Identity;

tokio::task_local! {
    static CURRENT: RefCell<Identity>;
}

pin_project! {
    /// A future in the scope of an [`Identity`]: made by [`Identity::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        #[pin]
        inner: F,
        identity: Identity,
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
        Scope { inner: future, identity: self }
    }

    /// The identity in whose scope this is called; an empty one outside of any.
    pub fn current() -> Self {
        CURRENT.try_with(|current| current.borrow().clone()).unwrap_or_default()
    }

    /// Runs a function in the scope of this identity, which takes over what is said of it meanwhile.
    pub(super) fn enter<T>(&mut self, function: impl FnOnce() -> T) -> T {
        let mut after = Self::default();
        let result = CURRENT.sync_scope(RefCell::new(std::mem::take(self)), || {
            let result = function();
            after = CURRENT.with(RefCell::take);
            result
        });
        *self = after;
        result
    }
}

impl<F> Scope<F> {
    /// The identity, as it is now.
    #[cfg(feature = "axum")]
    pub(super) fn identity(self: Pin<&mut Self>) -> Identity {
        self.project().identity.clone()
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.identity.enter(|| this.inner.poll(cx))
    }
}

/// Says something of the identity of this scope, if there is one.
pub(super) fn change(identity: &Identity) {
    let _ = CURRENT.try_with(|current| current.borrow_mut().change(identity.clone()));
}
