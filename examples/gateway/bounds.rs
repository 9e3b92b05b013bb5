//! Limits on the number of exchanges, on the size of a request, and on the silence of a client or a provider.
//!
//! tower's `ConcurrencyLimit` counts an exchange until its head is answered, and a stream is only beginning then.
//! tower-http's timeouts for bodies hide the length of a body. So both are done here, by one wrapper of bodies.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use http_body_util::Limited;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::answers::problem;

#[derive(Clone)]
pub(crate) struct Bounds {
    /// A permit for each exchange that may run at the same time.
    pub(crate) exchanges: Arc<Semaphore>,
    /// The largest body of a request.
    pub(crate) body_bytes: usize,
    /// The longest pause between two frames of a body.
    pub(crate) idle: Duration,
}

/// Refuses a request beyond the limits, and enforces them on the bodies of the others.
pub(crate) async fn enforce(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let Bounds { exchanges, body_bytes, idle } = bounds;
    let Ok(permit) = exchanges.try_acquire_owned() else {
        let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "the gateway is busy: try again later");
        return ([(RETRY_AFTER, "1")], answer).into_response();
    };
    if request.body().size_hint().lower() > body_bytes as u64 {
        return too_large();
    }
    // A provider may answer before it has read the request, so the two bodies end in any order.
    let permit = Arc::new(permit);
    let bounded = |body| Body::new(Bounded { body, idle, pause: None, _permit: Arc::clone(&permit) });
    let request = request.map(|body| bounded(Body::new(Limited::new(body, body_bytes))));
    next.run(request).await.map(bounded)
}

/// The answer to a request with a body beyond the limit.
pub(crate) fn too_large() -> Response {
    problem(StatusCode::PAYLOAD_TOO_LARGE, "the body of the request is larger than MAX_BODY_BYTES")
}

/// A body that fails after a long pause, and that keeps the permit of its exchange.
struct Bounded {
    body: Body,
    idle: Duration,
    /// Runs while the next frame is waited for.
    pause: Option<Pin<Box<Sleep>>>,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.pause = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let idle = self.idle;
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        pause.as_mut().poll(context).map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The next frame of a body did not come in time.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl std::fmt::Display for TooSlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no data for IDLE_SECONDS")
    }
}

impl std::error::Error for TooSlow {}
