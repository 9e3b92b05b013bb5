//! `/healthz` and `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use reconify_nats::Status;
use tokio::net::TcpListener;

/// A client that sends no request in this time is disconnected.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Listens, and answers in the background.
pub(crate) async fn serve(address: SocketAddr, status: Status) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "health and metrics are served");
    tokio::spawn(async move {
        loop {
            let Ok((connection, _)) = listener.accept().await else {
                // There may be too many open files.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let status = status.clone();
            let answer = service_fn(move |request| std::future::ready(answer(&request, &status)));
            tokio::spawn(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(connection), answer),
            );
        }
    });
    Ok(())
}

fn answer(request: &Request<Incoming>, status: &Status) -> Result<Response<Full<Bytes>>, Infallible> {
    let (code, text) = match request.uri().path() {
        "/healthz" => match status.readiness() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem + "\n"),
        },
        "/metrics" => (StatusCode::OK, status.prometheus()),
        _ => (StatusCode::NOT_FOUND, "/healthz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = code;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    Ok(response)
}
