//! Who is asking, carried into tasks: a scope does not reach into what is spawned inside it, `Identity::current()` does.
//!
//! ```text
//! cargo run --example spawn
//! ```
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line for each report.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

mod simulated;

use std::error::Error;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use simulated::{collector, openai};
use tower::{ServiceBuilder, ServiceExt};
use tower_reconify::{Config, Identity, Reconify, ReconifyLayer, Session, User};

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
    let http = Client::builder().no_proxy().build()?;
    let client = ServiceBuilder::new().layer(reconify.clone()).service(http);

    let url = format!("http://{openai}/v1/chat/completions");
    // In an Axum app the `identify` layer opens this scope around every handler.
    let alice = Identity::from((User::new("alice"), Session::new("alice-1")));
    for answer in alice.scope(handle(client, url)).await? {
        println!("answer    {answer}");
    }

    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}

type Answer = Result<String, reqwest::Error>;

/// Asks two questions at once, and a third that is nobody's.
async fn handle(client: Reconify<Client>, url: String) -> Result<Vec<String>, Box<dyn Error>> {
    let here = Identity::current();
    let tasks = [
        tokio::spawn(here.clone().scope(ask(client.clone(), url.clone(), "Tell a cat joke"))),
        tokio::spawn(here.scope(ask(client.clone(), url.clone(), "Tell a dog joke"))),
        // Nothing carries the identity into this one: it is reported without a user.
        tokio::spawn(ask(client, url, "Tell nobody's joke")),
    ];
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await??);
    }
    Ok(answers)
}

async fn ask(client: Reconify<Client>, url: String, question: &str) -> Answer {
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": question}]});
    let request = client.get_ref().post(url).bearer_auth("sk-demo").json(&body).build()?;
    let answer: Value = client.oneshot(request).await?.error_for_status()?.json().await?;
    Ok(answer["choices"][0]["message"]["content"].to_string())
}
