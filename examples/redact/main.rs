//! E-mail addresses and API keys are taken out of what is reported; OpenAI and the caller get what they would get anyway.
//!
//! ```text
//! cargo run --example redact
//! ```
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line for each report.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

mod redaction;
#[path = "../simulated/mod.rs"]
mod simulated;

use std::error::Error;
use std::time::Duration;

use redaction::Redaction;
use serde_json::{Value, json};
use simulated::{collector, openai};
use tower::{ServiceBuilder, ServiceExt};
use tower_reconify::{Config, ReconifyLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let openai = openai::start().await?;
    let collector = collector::start().await?;
    let redaction = Redaction::new()?;
    // An application writes ConfigBuilder::from_env(), which takes RECONIFY_APP_KEY and RECONIFY_API_KEY.
    let config = Config::builder(collector::APP_KEY, collector::API_KEY)
        .endpoint(format!("http://{collector}/track"))
        .before_send(move |mut interaction| {
            interaction.redact(|text| redaction.apply(text));
            // `redact` does not see the user. An empty text removes a field.
            let Some(user) = interaction.identity().user().cloned() else { return Some(interaction) };
            Some(interaction.user(user.email("")))
        })
        .build()?;
    let reconify = ReconifyLayer::new(config);

    // No proxy, since the simulated OpenAI is on this machine.
    let http = reqwest::Client::builder().no_proxy().build()?;
    let question = "I am jane@example.com, my key is sk-proj-0123456789abcdef";
    let request = http
        .post(format!("http://{openai}/v1/chat/completions"))
        .bearer_auth("sk-demo")
        .json(&json!({"model": "gpt-4o", "messages": [{"role": "user", "content": question}]}))
        .build()?;
    let client = ServiceBuilder::new().layer(reconify.clone()).service(http);
    let answer: Value = client.oneshot(request).await?.error_for_status()?.json().await?;
    println!("answer    {}", answer["choices"][0]["message"]["content"]);

    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}
