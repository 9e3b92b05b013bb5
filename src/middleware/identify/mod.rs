mod bounds;
mod extract;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use self::bounds::{AnonymousIf, Extractor, IntoIdentity};
pub use self::extract::MissingIdentity;
use crate::identity::scope::{Scope, ScopeId};
use crate::identity::{Identity, IdentitySlot};

/// A layer that runs an extractor of the application and attaches the resulting identity to the
/// request.
///
/// `E` is any extractor that does not take the body and converts into an [`Identity`], either by
/// `From<E> for Identity` or by [`map`](IdentifyLayer::map).
///
/// If the extractor rejects the request, the rejection is the response, as in a handler. There are
/// two ways to make the login optional. `identify::<Option<E>>()` is for extractors that implement
/// axum's `OptionalFromRequestParts` and can therefore tell a missing login from an invalid one.
/// [`anonymous_if`](IdentifyLayer::anonymous_if) selects the rejections that mean "not logged in".
/// In both cases an expired token or a failing session store is answered with its rejection, and
/// never reported as anonymous.
///
/// The identity is attached to the extensions of the request. A
/// [`ReconifyLayer`](crate::ReconifyLayer) that the request has already passed receives it too, so
/// the order of the two layers does not matter. Calls to a provider made by the handler, or by the body
/// of its response while it is streamed, also get the identity ([`Identity::scope`]).
///
/// ```
/// use axum::extract::FromRequestParts;
/// use axum::http::{StatusCode, request::Parts};
/// use axum::{Router, routing::post};
/// use tower_reconify::{Config, Identity, ReconifyLayer, User, identify};
///
/// /// The verified claims of a login.
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
///     .layer(identify::<Claims>()); // identify::<Option<Claims>>() for an optional login
/// # Ok::<_, tower_reconify::Error>(())
/// ```
///
/// If a middleware of the application already puts the user into the request's extensions, extract
/// that with axum's `Extension` and convert it. The middleware stands outside, so it is added last.
/// If it puts a [`User`](crate::User) and a [`Session`](crate::Session) there, the
/// [`ReconifyLayer`](crate::ReconifyLayer) finds them without this layer; `identify::<Identity>()`
/// passes them on to the calls that the handler makes.
///
/// ```
/// use axum::extract::Request;
/// use axum::middleware::{Next, from_fn};
/// use axum::{Extension, Router, response::Response, routing::post};
/// use tower_reconify::{Config, Identity, ReconifyLayer, User, identify};
///
/// #[derive(Clone)]
/// struct CurrentUser { id: String }
///
/// async fn log_in(mut request: Request, next: Next) -> Response {
///     // From a verified cookie or token.
///     request.extensions_mut().insert(CurrentUser { id: "user-42".into() });
///     next.run(request).await
/// }
///
/// async fn log_in_as_user(mut request: Request, next: Next) -> Response {
///     request.extensions_mut().insert(User::new("user-42"));
///     next.run(request).await
/// }
///
/// let reconify = ReconifyLayer::new(Config::builder("app-key", "api-key").build()?);
/// let routes: Router = Router::new().route("/v1/chat/completions", post(async || "an answer"));
///
/// let app = routes
///     .clone()
///     .layer(reconify.clone())
///     .layer(identify::<Extension<CurrentUser>>().map(|Extension(user)| User::new(user.id)))
///     .layer(from_fn(log_in));
///
/// let app = routes
///     .layer(reconify) // around the client that the handler uses, if it calls a provider by itself
///     .layer(identify::<Identity>())
///     .layer(from_fn(log_in_as_user));
/// # Ok::<_, tower_reconify::Error>(())
/// ```
///
/// An extractor that needs a state gets it by [`with_state`](IdentifyLayer::with_state). Without it,
/// and without a conversion, the layer does not compile:
///
/// ```compile_fail,E0277
/// # use axum::{extract::FromRequestParts, http::{StatusCode, request::Parts}};
/// # use tower_reconify::{Identity, identify};
/// # struct Claims;
/// # #[derive(Clone)]
/// # struct Logins;
/// # impl FromRequestParts<Logins> for Claims {
/// #     type Rejection = StatusCode;
/// #     async fn from_request_parts(_: &mut Parts, _: &Logins) -> Result<Self, StatusCode> { Ok(Self) }
/// # }
/// # impl From<Claims> for Identity {
/// #     fn from(_: Claims) -> Self { Self::new() }
/// # }
/// // `Claims` is not an extractor with the state `()`
/// let app: axum::Router = axum::Router::new().layer(identify::<Claims>());
/// ```
///
/// ```compile_fail,E0277
/// # use axum::extract::Path;
/// # use tower_reconify::identify;
/// // `Path<u64>` cannot be converted into an `Identity`
/// let app: axum::Router = axum::Router::new().layer(identify::<Path<u64>>());
/// ```
pub fn identify<E>() -> IdentifyLayer<E> {
    IdentifyLayer { state: (), to_identity: |extracted| extracted, is_anonymous: (), extractor: PhantomData }
}

/// The layer made by [`identify`].
pub struct IdentifyLayer<E, S = (), F = fn(E) -> E, P = ()> {
    state: S,
    to_identity: F,
    /// `()` until [`anonymous_if`](Self::anonymous_if) sets it.
    is_anonymous: P,
    extractor: PhantomData<fn() -> E>,
}

/// The service made by an [`IdentifyLayer`].
pub struct Identify<T, E, S, F, P> {
    inner: T,
    layer: IdentifyLayer<E, S, F, P>,
}

impl<E, S, F, P> IdentifyLayer<E, S, F, P> {
    /// Sets the state for the extractor, as `Router::with_state` does for handlers.
    #[must_use]
    pub fn with_state<S2>(self, state: S2) -> IdentifyLayer<E, S2, F, P> {
        let Self { to_identity, is_anonymous, extractor, .. } = self;
        IdentifyLayer { state, to_identity, is_anonymous, extractor }
    }

    /// Sets the conversion of the extracted value into an identity, instead of `From`.
    ///
    /// ```
    /// use axum::extract::Path;
    /// use tower_reconify::{User, identify};
    ///
    /// let layer = identify::<Path<String>>().map(|Path(tenant)| User::new(tenant));
    /// ```
    ///
    /// From a value that a middleware has put into the request's extensions:
    ///
    /// ```
    /// use axum::Extension;
    /// use tower_reconify::{Session, User, identify};
    ///
    /// #[derive(Clone)]
    /// struct CurrentUser { id: String, chat: String }
    ///
    /// let layer = identify::<Extension<CurrentUser>>()
    ///     .map(|Extension(user)| (User::new(user.id), Session::new(user.chat)));
    /// # let _: axum::Router = axum::Router::new().layer(layer);
    /// ```
    ///
    /// For routes that are also used without a login, the value is an `Option`:
    ///
    /// ```
    /// # use axum::Extension;
    /// # use tower_reconify::{Identity, User, identify};
    /// # #[derive(Clone)]
    /// # struct CurrentUser { id: String }
    /// let layer = identify::<Option<Extension<CurrentUser>>>()
    ///     .map(|user| Identity::from(user.map(|Extension(user)| User::new(user.id))));
    /// # let _: axum::Router = axum::Router::new().layer(layer);
    /// ```
    #[must_use]
    pub fn map<F2, I>(self, to_identity: F2) -> IdentifyLayer<E, S, F2, P>
    where
        F2: Fn(E) -> I,
        I: Into<Identity>,
    {
        let Self { state, is_anonymous, extractor, .. } = self;
        IdentifyLayer { state, to_identity, is_anonymous, extractor }
    }

    /// Lets requests pass without an identity if this function accepts the extractor's rejection.
    /// All other rejections are answered. Default: every rejection is answered.
    ///
    /// Accept only the rejection that means "no credentials were sent", not those of an invalid or
    /// expired login. If the extractor needs a state, call [`with_state`](Self::with_state) first.
    ///
    /// ```
    /// # use axum::{extract::FromRequestParts, http::{StatusCode, request::Parts}};
    /// # use axum::response::{IntoResponse, Response};
    /// # use tower_reconify::{Identity, User};
    /// use tower_reconify::identify;
    ///
    /// struct Claims { subject: String }
    ///
    /// enum Rejected { NoToken, Expired }
    /// # impl IntoResponse for Rejected {
    /// #     fn into_response(self) -> Response { StatusCode::UNAUTHORIZED.into_response() }
    /// # }
    /// # impl<S: Sync> FromRequestParts<S> for Claims {
    /// #     type Rejection = Rejected;
    /// #     async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Rejected> { Err(Rejected::Expired) }
    /// # }
    /// # impl From<Claims> for Identity {
    /// #     fn from(claims: Claims) -> Self { User::new(claims.subject).into() }
    /// # }
    ///
    /// let layer = identify::<Claims>().anonymous_if(|rejection| matches!(rejection, Rejected::NoToken));
    /// # let _: axum::Router = axum::Router::new().layer(layer);
    /// ```
    #[must_use]
    pub fn anonymous_if<P2>(self, is_anonymous: P2) -> IdentifyLayer<E, S, F, P2>
    where
        E: Extractor<S>,
        P2: Fn(&E::Rejection) -> bool,
    {
        let Self { state, to_identity, extractor, .. } = self;
        IdentifyLayer { state, to_identity, is_anonymous, extractor }
    }
}

impl<T, E, S: Clone, F: Clone, P: Clone> Layer<T> for IdentifyLayer<E, S, F, P> {
    type Service = Identify<T, E, S, F, P>;

    fn layer(&self, inner: T) -> Self::Service {
        Identify { inner, layer: self.clone() }
    }
}

impl<T, B, E, S, F, I, P> Service<Request<B>> for Identify<T, E, S, F, P>
where
    T: Service<Request<B>, Error = Infallible> + Clone + Send + 'static,
    T::Response: IntoResponse,
    T::Future: Send,
    B: Send + 'static,
    E: Extractor<S> + Send,
    S: Clone + Send + Sync + 'static,
    F: Fn(E) -> I + Clone + Send + 'static,
    I: IntoIdentity,
    P: AnonymousIf<E::Rejection> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone may not be ready, so the original is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let IdentifyLayer { state, to_identity, is_anonymous, .. } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let identity: Identity = match E::extract(&mut parts, &state).await {
                Ok(extracted) => to_identity(extracted).into_identity(),
                Err(rejection) if is_anonymous.accepts(&rejection) => Identity::new(),
                Err(rejection) => return Ok(rejection.into_response()),
            };
            identity.clone().insert_into(&mut parts.extensions);
            if let Some(slot) = parts.extensions.get::<IdentitySlot>() {
                slot.set(identity.clone());
            }
            // Scopes may be nested: the outer scope fills the parts that are missing here.
            let (mut identity, id) =
                (Identity::of(&parts.extensions).fill_from(Identity::current()), ScopeId::new());
            let called = identity.enter(id, || inner.call(Request::from_parts(parts, body)));
            let mut scope = pin!(Scope::with(identity, id, called));
            let response = scope.as_mut().await?.into_response();
            let identity = scope.as_mut().identity();
            Ok(response.map(|body| Body::new(ScopedBody { inner: body, identity, id })))
        })
    }
}

impl<E, S: Clone, F: Clone, P: Clone> Clone for IdentifyLayer<E, S, F, P> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            to_identity: self.to_identity.clone(),
            is_anonymous: self.is_anonymous.clone(),
            extractor: PhantomData,
        }
    }
}

impl<T: Clone, E, S: Clone, F: Clone, P: Clone> Clone for Identify<T, E, S, F, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<E, S, F, P> fmt::Debug for IdentifyLayer<E, S, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentifyLayer<{}>", std::any::type_name::<E>())
    }
}

impl<T: fmt::Debug, E, S, F, P> fmt::Debug for Identify<T, E, S, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identify").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}

pin_project! {
    /// A body polled in the scope of an identity.
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
