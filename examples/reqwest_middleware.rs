//! A client of `reqwest-middleware` whose calls to OpenAI are reported, with the user that each request carries.
//!
//! ```text
//! cargo run --example reqwest_middleware --features reqwest-middleware
//! ```
//!
//! rig's clients are generic over their HTTP client and take such a one: what rig calls is then reported too.
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line for each report.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

mod simulated;

use std::error::Error;
use std::time::Duration;

use reqwest_middleware::ClientBuilder;
use serde_json::{Value, json};
use simulated::{collector, openai};
use tower_reconify::{Config, ReconifyLayer, Session, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let openai = openai::start().await?;
    let collector = collector::start().await?;
    // An application writes Config::from_env()?, which takes RECONIFY_APP_KEY and RECONIFY_API_KEY.
    let config = Config::builder(collector::APP_KEY, collector::API_KEY)
        .endpoint(format!("http://{collector}/track"))
        .build()?;
    let reconify = ReconifyLayer::new(config);

    // No proxy, since the simulated OpenAI is on this machine.
    let http = reqwest::Client::builder().no_proxy().build()?;
    // Before a retry middleware, the layer reports one interaction with the last answer; after it, one an attempt.
    let client = ClientBuilder::new(http).with(reconify.clone()).build();

    let question = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]});
    let request = client
        .post(format!("http://{openai}/v1/chat/completions"))
        .bearer_auth("sk-demo")
        .header("content-type", "application/json")
        .body(question.to_string())
        .with_extension(User::new("alice"))
        .with_extension(Session::new("alice-1"));

    // The interaction ends when the answer has been read; only then is there something to report.
    let response = request.send().await?.error_for_status()?;
    let answer: Value = response.json().await?;
    println!("answer    {}", answer["choices"][0]["message"]["content"]);

    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}
