//! The layer around a reqwest client, for outbound calls.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode};
use http_body::Body as _;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use tower::Service;

use super::future::{Recordable, ResponseFuture};
use super::service::Reconify;
use super::tracker::Tracker;
use crate::capture::{NestingGuard, Observer, RequestBody, ResponseBody, Tap};

/// Captures the calls of a reqwest client: `ServiceBuilder::new().layer(layer).service(client)`.
///
/// A buffered request body stays buffered, so that retries and redirects with 307 and 308 still
/// work. It is recorded without a copy. The response keeps its status, URL, version, remote address
/// and streaming.
///
/// The extensions of a reqwest request are private. The identity therefore comes from the
/// [scope](crate::Identity::scope) of the call, or from
/// [headers](crate::ConfigBuilder::identity_headers), which are removed before sending.
impl<S> Service<Request> for Reconify<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let (mut observer, tracks_nesting) = begin(&self.tracker, &mut request, &mut Extensions::new());
        let _nesting = tracks_nesting.then(NestingGuard::enter);
        let guard = observer.fail_on_panic();
        let inner = self.inner.call(request);
        guard.disarm();
        ResponseFuture { inner, observer, tracks_nesting }
    }
}

/// Begins to record a request. Also returns whether nested calls are tracked while it is handled.
pub(super) fn begin(
    tracker: &Tracker,
    request: &mut Request,
    extensions: &mut Extensions,
) -> (Observer, bool) {
    let Some(operation) = tracker.operation(request.method(), request.url().path()) else {
        tracker.pass(request.headers_mut(), true);
        return (Observer::default(), false);
    };
    let (observer, tap) = tracker.begin(operation, request.headers(), extensions);
    tracker.pass(request.headers_mut(), true);
    if !tap.is_empty() {
        record(request.body_mut(), tap);
    }
    (observer, tracker.tracks_nesting())
}

/// Records a buffered body at once, and any other body as it passes.
fn record(body: &mut Option<Body>, mut tap: Tap) {
    let Some(whole) = body.take() else {
        // A request without a body is already complete.
        tap.record_whole(&Bytes::new());
        return;
    };
    *body = Some(if whole.as_bytes().is_some() {
        let bytes = bytes_of(whole);
        tap.record_whole(&bytes);
        Body::from(bytes)
    } else {
        tap.check_end_stream(&whole);
        Body::wrap(RequestBody::new(whole, tap))
    });
}

/// The content of a buffered body. It is one frame, and reading it never has to wait.
fn bytes_of(mut body: Body) -> Bytes {
    match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

impl Recordable for Response {
    type Body = Body;
    type Recorded = Self;

    fn head(&self) -> (StatusCode, &HeaderMap) {
        (self.status(), self.headers())
    }

    /// The URL must be copied, because reqwest keeps it outside the response parts.
    fn wrap(self, is_recorded: bool, wrap: impl FnOnce(Body) -> ResponseBody<Body>) -> Self {
        if !is_recorded {
            return self;
        }
        let url = self.url().clone();
        let (mut parts, body) = http::Response::from(self).into_parts();
        if let Ok(with_url) = http::Response::builder().url(url).body(()) {
            parts.extensions.extend(with_url.into_parts().0.extensions);
        }
        http::Response::from_parts(parts, Body::wrap(wrap(body))).into()
    }
}
