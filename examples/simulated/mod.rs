//! Stand-ins for what lies outside: enough of three providers, and of Reconify, to see the examples work.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

#[allow(dead_code, reason = "only the gateway has it")]
pub(crate) mod anthropic;
pub(crate) mod collector;
#[allow(dead_code, reason = "only the gateway has it")]
pub(crate) mod gemini;
pub(crate) mod openai;
mod responses;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::net::TcpListener;

/// The pause between two events of a stream, so that one can see it stream.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves an app on a free port of this machine, for as long as the runtime lives.
pub(crate) async fn serve(app: Router) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// A stream of these events.
fn event_stream(events: Vec<String>) -> Response {
    let events = stream::unfold(events.into_iter(), async |mut events| {
        tokio::time::sleep(PAUSE).await;
        Some((Ok::<_, Infallible>(events.next()?), events))
    });
    ([(CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::from_stream(events)).into_response()
}
