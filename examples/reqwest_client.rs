//! A reqwest client whose calls to OpenAI are reported, with the user in whose scope they are made.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line a report.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

mod simulated;

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use simulated::{collector, openai};
use tower::{ServiceBuilder, ServiceExt};
use tower_reconify::{Config, Identity, ReconifyLayer, Session, User};

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
    let request = http
        .post(format!("http://{openai}/v1/chat/completions"))
        .bearer_auth("sk-demo")
        .json(&json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]}))
        .build()?;

    // A reqwest request has no extensions that a layer could read: the scope of the call says who is asking.
    let identity = Identity::from((User::new("alice"), Session::new("alice-1")));
    let client = ServiceBuilder::new().layer(reconify.clone()).service(http);
    let response = identity.scope(client.oneshot(request)).await?;

    // The interaction ends when the answer has been read; only then is there something to report.
    let answer: Value = response.error_for_status()?.json().await?;
    println!("answer    {}", answer["choices"][0]["message"]["content"]);

    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}
