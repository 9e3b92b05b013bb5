//! The second program of the README: a command-line tool that asks OpenAI through reqwest.
//!
//! ```text
//! cargo run --example outbound -- "Tell a cat joke"
//! ```
//!
//! It takes `OPENAI_API_KEY`, `RECONIFY_APP_KEY` and `RECONIFY_API_KEY` from the environment. The
//! README says how to run it without any account.

use std::env;
use std::time::Duration;

use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt};
use tower_reconify::{Config, Identity, ReconifyLayer, Session, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let reconify = ReconifyLayer::new(Config::from_env()?);
    // When `main` ends, also through `?`, the guard delivers the queued reports.
    let _guard = reconify.reporter().guard(Duration::from_secs(5));

    let http = reqwest::Client::new();
    let base = env::var("OPENAI_BASE_URL").unwrap_or_else(|_| "https://api.openai.com/v1".into());
    let question = env::args().nth(1).unwrap_or_else(|| "Tell a cat joke".into());
    let request = http
        .post(format!("{base}/chat/completions"))
        .bearer_auth(env::var("OPENAI_API_KEY")?)
        .json(&json!({"model": "gpt-4o", "messages": [{"role": "user", "content": question}]}))
        .build()?;

    let client = ServiceBuilder::new().layer(reconify.clone()).service(http);
    let identity = Identity::from((User::new("alice"), Session::new("alice-1")));
    let response = identity.scope(client.oneshot(request)).await?;

    // The exchange ends when its response has been read. Then it is reported.
    let answer: Value = response.error_for_status()?.json().await?;
    let text = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
    println!("{}", text.unwrap_or("no answer"));
    Ok(())
}
