use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::future::ResponseFuture;
use super::tracker::Tracker;
use crate::capture::{NestingGuard, RequestBody, ResponseBody};

/// A service that passes every request to an inner one and reports the interactions with a model among them.
///
/// Made by [`ReconifyLayer`](crate::ReconifyLayer). The inner service gets the request with its body wrapped in
/// [`RequestBody`]; the caller gets the response with its body wrapped in [`ResponseBody`]. Both bodies, like the
/// service itself, are `Send`, `Sync`, `Unpin` and `Clone` where what they wrap is (bodies are never `Clone`).
///
/// The data of both bodies is [`Bytes`], as it is with Axum, hyper, reqwest and `http-body-util`.
#[derive(Clone, Debug)]
pub struct Reconify<S> {
    pub(super) inner: S,
    pub(super) tracker: Tracker,
}

impl<S> Reconify<S> {
    pub(super) fn new(inner: S, tracker: Tracker) -> Self {
        Self { inner, tracker }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the inner service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Reconify<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    // Requests and futures are large: as few moves as can be.
    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let operation = self.tracker.operation(&head.method, head.uri.path());
        let tracks_nesting = operation.is_some() && self.tracker.tracks_nesting();
        let (mut observer, mut tap) = match operation {
            Some(operation) => self.tracker.begin(operation, &head.headers, &mut head.extensions),
            None => Default::default(),
        };
        self.tracker.pass(&mut head.headers, false);
        tap.check_end_stream(&body);
        let _nesting = tracks_nesting.then(NestingGuard::enter);
        let guard = observer.fail_on_panic();
        let inner = self.inner.call(Request::from_parts(head, RequestBody::new(body, tap)));
        guard.disarm();
        ResponseFuture { inner, observer, tracks_nesting }
    }
}
