use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::task::{Scope, ScopeId};
use super::{Identity, IdentitySlot};

/// A layer that runs an extractor of the application, and attaches the identity that it yields to the request.
///
/// `E` is any extractor that does not take the body and can become an [`Identity`]: a `From<E> for Identity` says how, or
/// [`map`](IdentifyLayer::map). A rejection of the extractor answers the request. Where the login is optional,
/// `Result<E, _>` ignores it, for every extractor; `Option<E>` does for those that implement axum's
/// `OptionalFromRequestParts`.
///
/// The identity is attached to the extensions of the request, and said to a [`ReconifyLayer`](crate::ReconifyLayer)
/// through which the request has passed already: it does not matter which of the two layers stands outside. Calls to OpenAI
/// that the handler makes, and those that the body of its response makes while it is streamed, have it too
/// ([`Identity::scope`]).
///
/// ```
/// use axum::extract::FromRequestParts;
/// use axum::http::{StatusCode, request::Parts};
/// use axum::{Router, routing::post};
/// use tower_reconify::{Config, Identity, ReconifyLayer, User, identify};
///
/// /// What the application knows of who is logged in.
/// struct Claims { subject: String }
///
/// impl<S: Sync> FromRequestParts<S> for Claims {
///     type Rejection = StatusCode;
///
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
///         // From a verified token.
///         let subject = parts.headers.get("authorization").ok_or(StatusCode::UNAUTHORIZED)?;
///         Ok(Self { subject: subject.to_str().map_err(|_| StatusCode::BAD_REQUEST)?.to_owned() })
///     }
/// }
///
/// impl From<Claims> for Identity {
///     fn from(claims: Claims) -> Self {
///         User::new(claims.subject).authenticated(true).into()
///     }
/// }
///
/// let reconify = ReconifyLayer::new(Config::builder("app-key", "api-key").build()?);
/// let app: Router = Router::new()
///     .route("/v1/chat/completions", post(async || "an answer"))
///     .layer(reconify)
///     .layer(identify::<Claims>()); // identify::<Result<Claims, _>>() for an optional login
/// # Ok::<_, tower_reconify::Error>(())
/// ```
pub fn identify<E>() -> IdentifyLayer<E> {
    IdentifyLayer { state: (), to_identity: |extracted| extracted, extractor: PhantomData }
}

/// The layer made by [`identify`].
pub struct IdentifyLayer<E, S = (), F = fn(E) -> E> {
    state: S,
    to_identity: F,
    extractor: PhantomData<fn() -> E>,
}

/// The service made by an [`IdentifyLayer`].
pub struct Identify<T, E, S = (), F = fn(E) -> E> {
    inner: T,
    layer: IdentifyLayer<E, S, F>,
}

impl<E, S, F> IdentifyLayer<E, S, F> {
    /// Sets the state that the extractor takes, as `Router::with_state` does for handlers.
    #[must_use]
    pub fn with_state<S2>(self, state: S2) -> IdentifyLayer<E, S2, F> {
        IdentifyLayer { state, to_identity: self.to_identity, extractor: PhantomData }
    }

    /// Says how what is extracted becomes an identity, in place of a `From`.
    ///
    /// ```
    /// use axum::extract::Path;
    /// use tower_reconify::{User, identify};
    ///
    /// let layer = identify::<Path<String>>().map(|Path(tenant)| User::new(tenant));
    /// ```
    #[must_use]
    pub fn map<F2, I>(self, to_identity: F2) -> IdentifyLayer<E, S, F2>
    where
        F2: Fn(E) -> I,
        I: Into<Identity>,
    {
        IdentifyLayer { state: self.state, to_identity, extractor: PhantomData }
    }
}

impl<T, E, S: Clone, F: Clone> Layer<T> for IdentifyLayer<E, S, F> {
    type Service = Identify<T, E, S, F>;

    fn layer(&self, inner: T) -> Self::Service {
        Identify { inner, layer: self.clone() }
    }
}

impl<T, B, E, S, F, I> Service<Request<B>> for Identify<T, E, S, F>
where
    T: Service<Request<B>, Error = Infallible> + Clone + Send + 'static,
    T::Response: IntoResponse,
    T::Future: Send,
    B: Send + 'static,
    E: FromRequestParts<S> + Send,
    S: Clone + Send + Sync + 'static,
    F: Fn(E) -> I + Clone + Send + 'static,
    I: Into<Identity>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is called, and not the clone.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let IdentifyLayer { state, to_identity, .. } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let identity: Identity = match E::from_request_parts(&mut parts, &state).await {
                Ok(extracted) => to_identity(extracted).into(),
                Err(rejection) => return Ok(rejection.into_response()),
            };
            identity.clone().attach(&mut parts.extensions);
            if let Some(slot) = parts.extensions.get::<IdentitySlot>() {
                slot.set(identity.clone());
            }
            // Scopes may be nested: what an outer one knows holds where this one knows nothing.
            let (mut identity, id) =
                (Identity::of(&parts.extensions).or(Identity::current()), ScopeId::new());
            let called = identity.enter(id, || inner.call(Request::from_parts(parts, body)));
            let mut scope = pin!(Scope::with(identity, id, called));
            let response = scope.as_mut().await?.into_response();
            let identity = scope.as_mut().identity();
            Ok(response.map(|body| Body::new(ScopedBody { inner: body, identity, id })))
        })
    }
}

impl<E, S: Clone, F: Clone> Clone for IdentifyLayer<E, S, F> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), to_identity: self.to_identity.clone(), extractor: PhantomData }
    }
}

impl<T: Clone, E, S: Clone, F: Clone> Clone for Identify<T, E, S, F> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<E, S, F> fmt::Debug for IdentifyLayer<E, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentifyLayer<{}>", std::any::type_name::<E>())
    }
}

impl<T: fmt::Debug, E, S, F> fmt::Debug for Identify<T, E, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identify").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}

pin_project! {
    /// A body that is polled in the scope of an identity.
    struct ScopedBody {
        #[pin]
        inner: Body,
        identity: Identity,
        id: ScopeId,
    }
}

impl http_body::Body for ScopedBody {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum_core::Error>>> {
        let this = self.project();
        this.identity.enter(*this.id, || this.inner.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
