//! The layers around everything that is forwarded: request ids, a span in the log, panics, limits.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::{Level, Span, info, info_span};

use super::answers::problem;
use super::bounds::{self, Bounds};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The first of these layers is the outermost.
pub(crate) fn around(app: Router, bounds: Bounds) -> Router {
    app.layer(
        ServiceBuilder::new()
            .map_request(without_strange_id)
            .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(span)
                    .on_request(())
                    .on_response(answered)
                    .on_failure(DefaultOnFailure::new().level(Level::WARN)),
            )
            // An id that the provider answers with is left as it is.
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(bounds, bounds::enforce)),
    )
}

/// Removes an id that a client made up to confuse a log. A new one takes its place.
fn without_strange_id(mut request: Request) -> Request {
    if !has_plain_id(request.headers()) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

fn has_plain_id(headers: &HeaderMap) -> bool {
    let mut ids = headers.get_all(REQUEST_ID).iter().map(HeaderValue::as_bytes);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    match (ids.next(), ids.next()) {
        (Some(id), None) => (1..=128).contains(&id.len()) && id.iter().all(is_plain),
        _ => false,
    }
}

/// Has no query: the key of Gemini can be in it.
fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    info_span!("exchange", method = %request.method(), path = request.uri().path(), request_id = id)
}

/// Logs the head of an answer. The end of a stream is logged as `end of stream`, at `DEBUG`.
fn answered<B>(response: &Response<B>, latency: Duration, _: &Span) {
    info!(status = response.status().as_u16(), latency_ms = latency.as_millis() as u64, "answered");
}

/// The panic hook has printed what the panic said, which is not for the client.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed to handle the request")
}
