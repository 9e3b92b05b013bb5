use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::future::ResponseFuture;
use super::tracker::Tracker;
use crate::capture::{NestingGuard, RequestBody, ResponseBody};
use crate::provider::captured::RequestFacts;

/// A service that passes every request to an inner service and reports the interactions with a
/// model.
///
/// It is made by [`ReconifyLayer`](crate::ReconifyLayer). The inner service gets the request with
/// its body wrapped in [`RequestBody`]. The caller gets the response with its body wrapped in
/// [`ResponseBody`]. The service and both bodies are `Send`, `Sync` and `Unpin` if the wrapped
/// value is. The service is also `Clone` if the wrapped service is; the bodies never are.
///
/// The data of both bodies is [`Bytes`], as in Axum, hyper, reqwest and `http-body-util`.
#[derive(Clone, Debug)]
pub struct Reconify<S> {
    pub(super) inner: S,
    pub(super) tracker: Tracker,
}

impl<S> Reconify<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, mutable.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
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

    // Requests and futures are large, so they are moved as rarely as possible.
    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let operation = self.tracker.operation(&RequestFacts {
            method: &head.method,
            path: head.uri.path(),
            authority: head.uri.authority().map_or("", |authority| authority.as_str()),
            headers: &head.headers,
        });
        let tracks_nesting = operation.is_some() && self.tracker.tracks_nesting();
        let (mut observer, mut tap) = match operation {
            Some(operation) => {
                self.tracker.begin(operation, head.uri.path(), &head.headers, &mut head.extensions)
            }
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
