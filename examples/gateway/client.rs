//! The HTTP client for all providers.

use std::io;
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::http::Uri;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;

/// How long a connection may take to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

pub(crate) type HttpClient = Client<Connector, Body>;

pub(crate) fn http_client() -> io::Result<HttpClient> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    // Divided among the addresses of a host, so that one that does not answer leaves time for the others.
    http.set_connect_timeout(Some(CONNECT));
    let https = HttpsConnectorBuilder::new()
        .try_with_platform_verifier()
        .map_err(io::Error::other)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    // Covers DNS and TLS too.
    let connector = ServiceBuilder::new().timeout(CONNECT).service(https);
    Ok(Client::builder(TokioExecutor::new()).build(BoxCloneSyncService::new(connector)))
}
