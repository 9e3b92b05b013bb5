//! A client of hyper-util whose calls to OpenAI are reported, with the user that stands in the request's extensions.
//!
//! ```text
//! cargo run --example hyper_client
//! ```
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line for each report.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

mod simulated;

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use simulated::{collector, openai};
use tower::{ServiceBuilder, ServiceExt};
use tower_reconify::{Config, ReconifyLayer, RequestBody, Session, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let openai = openai::start().await?;
    let collector = collector::start().await?;
    // An application writes Config::from_env()?, which takes RECONIFY_APP_KEY and RECONIFY_API_KEY.
    let config = Config::builder(collector::APP_KEY, collector::API_KEY)
        .endpoint(format!("http://{collector}/track"))
        .build()?;
    let reconify = ReconifyLayer::new(config);

    // The client sends the bodies that the layer hands it: nothing is boxed.
    let http = Client::builder(TokioExecutor::new()).build_http::<RequestBody<Full<Bytes>>>();
    let client = ServiceBuilder::new().layer(reconify.clone()).service(http);

    let question = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]});
    let mut request = Request::post(format!("http://{openai}/v1/chat/completions"))
        .header(header::AUTHORIZATION, "Bearer sk-demo")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(question.to_string()))?;
    request.extensions_mut().insert(User::new("alice"));
    request.extensions_mut().insert(Session::new("alice-1"));

    // The interaction ends when the answer has been read; only then is there something to report.
    let response = client.oneshot(request).await?;
    let answer: Value = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
    println!("answer    {}", answer["choices"][0]["message"]["content"]);

    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}
