use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::nesting::NestingGuard;
use super::tap::Tap;

pin_project! {
    /// The body of a request on its way to the inner service.
    ///
    /// It passes on every frame, size hint and error of `B` as it is, and records the data of a
    /// captured exchange.
    ///
    /// An inner service therefore takes `Request<RequestBody<B>>`. Routers of axum, functions that
    /// are generic over the body, and hyper's clients (`build_http::<RequestBody<B>>()`) do. For a
    /// service that takes one type of body only, convert it on the way, for example with tower-http
    /// (feature `map-request-body`):
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use axum::body::Body;
    /// use axum::http::{Request, Response};
    /// use tower::{ServiceBuilder, service_fn};
    /// use tower_http::map_request_body::MapRequestBodyLayer;
    /// use tower_reconify::{Config, ReconifyLayer};
    ///
    /// let answering = service_fn(async |request: Request<Body>| {
    ///     Ok::<_, Infallible>(Response::new(request.into_body()))
    /// });
    /// let service = ServiceBuilder::new()
    ///     .layer(ReconifyLayer::new(Config::disabled()))
    ///     .layer(MapRequestBodyLayer::new(Body::new))
    ///     .service(answering);
    /// # let _: axum::Router = axum::Router::new().route_service("/", service);
    /// ```
    ///
    /// The data of `B` is [`Bytes`]. A body with other data is converted outside of the
    /// `ReconifyLayer`: `axum::body::Body::new(BodyExt::map_frame(…))`, with http-body-util.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        tap: Tap,
    }
}

pin_project! {
    /// The body of a response on its way to the caller.
    ///
    /// It passes on every frame, size hint and error of `B` as it is, and records the data of a
    /// captured exchange.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        tap: Tap,
        // Polling the body is part of handling the exchange, and marked as such.
        tracks_nesting: bool,
    }
}

impl<B: Body<Data = Bytes>> RequestBody<B> {
    #[inline]
    pub(crate) fn new(inner: B, tap: Tap) -> Self {
        Self { inner, tap }
    }
}

impl<B: Body<Data = Bytes>> ResponseBody<B> {
    #[inline]
    pub(crate) fn new(inner: B, tap: Tap, tracks_nesting: bool) -> Self {
        Self { inner, tap, tracks_nesting }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let guard = this.tap.break_on_panic();
        let polled = this.inner.as_mut().poll_frame(cx);
        guard.disarm();
        this.tap.record_poll(&*this.inner, polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let nesting = this.tracks_nesting.then(NestingGuard::enter);
        let guard = this.tap.break_on_panic();
        let polled = this.inner.as_mut().poll_frame(cx);
        guard.disarm();
        drop(nesting);
        this.tap.record_poll(&*this.inner, polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{RefUnwindSafe, UnwindSafe};

    use http_body_util::Full;

    use super::*;

    #[test]
    fn bodies_are_all_that_what_they_wrap_is() {
        fn is<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() -> usize {
            size_of::<T>()
        }

        assert_eq!(is::<RequestBody<Full<Bytes>>>(), is::<Full<Bytes>>() + size_of::<usize>());
        assert!(is::<ResponseBody<Full<Bytes>>>() <= is::<Full<Bytes>>() + 2 * size_of::<usize>());
    }
}
