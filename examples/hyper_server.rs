//! A server of hyper without Axum: a login that names the user, the layer, and a graceful end.
//!
//! ```text
//! cargo run --example hyper_server
//! ```
//!
//! It brings its own collector, which prints a line for each report, and asks itself one question.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

#[allow(dead_code, reason = "this example answers by itself")]
mod simulated;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use simulated::collector;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_reconify::{Config, Identity, ReconifyLayer, RequestBody, Session, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let collector = collector::start().await?;
    // An application writes Config::from_env()?, which takes RECONIFY_APP_KEY and RECONIFY_API_KEY.
    let config = Config::builder(collector::APP_KEY, collector::API_KEY)
        .endpoint(format!("http://{collector}/track"))
        .build()?;
    let reconify = ReconifyLayer::new(config);
    let service = ServiceBuilder::new().map_request(log_in).layer(reconify.clone()).service_fn(chat);
    let service = TowerToHyperService::new(service);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let connections = GracefulShutdown::new();
    // A server waits for Ctrl-C or SIGTERM here. This one ends with its first caller.
    let mut stop = tokio::spawn(ask(listener.local_addr()?));
    let answer = loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                // Without it, the events of a stream arrive up to 43 ms late.
                stream.set_nodelay(true)?;
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connections.watch(connection));
            }
            answer = &mut stop => break answer??,
        }
    };
    println!("answer    {}", answer["choices"][0]["message"]["content"]);

    connections.shutdown().await; // waits for the open exchanges
    reconify.reporter().shutdown(Duration::from_secs(5)).await; // delivers their reports
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}

/// The login of your application: here a token that is just a name.
fn log_in(mut request: Request<Incoming>) -> Request<Incoming> {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(name) = token.and_then(|token| token.strip_prefix("Bearer ")) {
        let identity = Identity::from((User::new(name), Session::new(format!("{name}-1"))));
        identity.insert_into(request.extensions_mut());
    }
    request
}

/// Answers at `/v1/chat/completions`. The layer hands over the body in a type of its own.
async fn chat(
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let body = request.into_body().collect().await?.to_bytes();
    let asked: Value = serde_json::from_slice(&body)?;
    let text = format!("You said: {}", asked["messages"][0]["content"]);
    let answer = json!({"model": "gpt-4o", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]});
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    Ok(response.body(Full::from(answer.to_string()))?)
}

/// A caller, in place of the world outside.
async fn ask(server: SocketAddr) -> Result<Value, reqwest::Error> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let question = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]});
    let request = http.post(format!("http://{server}/v1/chat/completions")).bearer_auth("alice");
    request.json(&question).send().await?.error_for_status()?.json().await
}
