//! Stand-ins for what lies outside: enough of OpenAI, and of Reconify, to see the examples work.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

pub(crate) mod collector;
pub(crate) mod openai;
mod responses;
mod wire;

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

/// Serves an app on a free port of this machine, for as long as the runtime lives.
pub(crate) async fn serve(app: Router) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}
