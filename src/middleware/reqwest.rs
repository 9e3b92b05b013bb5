//! The layer around a reqwest client, for outbound calls.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::Extensions;
use http_body::Body as _;
use pin_project_lite::pin_project;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use tower::Service;

use super::service::Reconify;
use super::tracker::Tracker;
use crate::capture::{NestingGuard, Observer, RequestBody, ResponseBody, Tap};
use crate::provider::captured::RequestFacts;

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
    type Future = ReqwestFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let (mut observer, tracks_nesting) = begin(&self.tracker, &mut request, &mut Extensions::new());
        let _nesting = tracks_nesting.then(NestingGuard::enter);
        let guard = observer.fail_on_panic();
        let inner = self.inner.call(request);
        guard.disarm();
        ReqwestFuture::new(inner, observer, tracks_nesting)
    }
}

/// Begins to record a request. Also returns whether nested calls are tracked while it is handled.
pub(super) fn begin(
    tracker: &Tracker,
    request: &mut Request,
    extensions: &mut Extensions,
) -> (Observer, bool) {
    let url = request.url();
    let facts = RequestFacts {
        method: request.method(),
        path: url.path(),
        authority: url.authority(),
        headers: request.headers(),
    };
    let Some(operation) = tracker.operation(&facts) else {
        tracker.pass(request.headers_mut(), true);
        return (Observer::default(), false);
    };
    let (observer, tap) = tracker.begin(operation, url.path(), request.headers(), extensions);
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

pin_project! {
    /// The response future of a reqwest client behind a layer.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ReqwestFuture<F> {
        #[pin]
        inner: F,
        observer: Observer,
        tracks_nesting: bool,
    }
}

impl<F> ReqwestFuture<F> {
    pub(super) fn new(inner: F, observer: Observer, tracks_nesting: bool) -> Self {
        Self { inner, observer, tracks_nesting }
    }
}

impl<F, E> Future for ReqwestFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let nesting = this.tracks_nesting.then(NestingGuard::enter);
        let guard = this.observer.fail_on_panic();
        let polled = this.inner.poll(cx);
        guard.disarm();
        drop(nesting);
        if polled.is_pending() {
            this.observer.wake_worker();
        }
        let result = ready!(polled);
        let mut observer = mem::take(this.observer);
        Poll::Ready(match result {
            Ok(response) if observer.is_empty() => Ok(response),
            Ok(response) => Ok(respond(response, observer, *this.tracks_nesting)),
            Err(error) => {
                observer.on_error();
                Err(error)
            }
        })
    }
}

/// Wraps the body of a response to record it. The URL must be copied, because reqwest keeps it
/// outside the response parts.
fn respond(response: Response, mut observer: Observer, tracks_nesting: bool) -> Response {
    let url = response.url().clone();
    let (mut parts, body) = http::Response::from(response).into_parts();
    observer.on_response(parts.status, &parts.headers);
    if let Ok(with_url) = http::Response::builder().url(url).body(()) {
        parts.extensions.extend(with_url.into_parts().0.extensions);
    }
    let mut tap = observer.into_tap();
    tap.check_end_stream(&body);
    http::Response::from_parts(parts, Body::wrap(ResponseBody::new(body, tap, tracks_nesting))).into()
}
