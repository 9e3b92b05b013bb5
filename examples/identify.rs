//! An Axum app that serves the OpenAI format, and reports who asked: from an extractor of its own, with an optional login,
//! and a session that only the handler knows.
//!
//! ```text
//! cargo run --example identify
//! ```
//!
//! It brings its own simulated OpenAI and its own collector, which prints a line for each report.

#![allow(clippy::indexing_slicing, reason = "a field that a JSON value does not have reads as null")]

mod simulated;

use std::error::Error;
use std::time::Duration;

use axum::extract::{OptionalFromRequestParts, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Client;
use serde_json::{Value, json};
use simulated::{collector, openai};
use tower_reconify::{Config, Identity, IdentitySlot, ReconifyLayer, Session, User, identify};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let openai = openai::start().await?;
    let collector = collector::start().await?;
    // An application writes Config::from_env()?, which takes RECONIFY_APP_KEY and RECONIFY_API_KEY.
    let config = Config::builder(collector::APP_KEY, collector::API_KEY)
        .endpoint(format!("http://{collector}/track"))
        .build()?;
    let reconify = ReconifyLayer::new(config);

    // No proxy, since everything here is on this machine.
    let http = Client::builder().no_proxy().build()?;
    let logins = Logins(&[("token-of-alice", "alice", "alice@example.com")]);
    let state = AppState { openai: format!("http://{openai}/v1/chat/completions"), http: http.clone() };
    let app = Router::new()
        .route("/v1/chat/completions", post(chat))
        .layer(reconify.clone())
        // A request without a token is served too, and reported without a user. One with a token that is not known is answered 401.
        .layer(identify::<Option<Claims>>().with_state(logins))
        .with_state(state);
    let url = format!("http://{}/v1/chat/completions", simulated::serve(app).await?);

    for (token, conversation) in [(Some("token-of-alice"), "cats"), (None, "dogs")] {
        let question = json!({
            "model": "gpt-4o",
            "metadata": {"conversation": conversation},
            "messages": [{"role": "user", "content": format!("Tell a joke about {conversation}")}],
        });
        let request = http.post(&url).json(&question);
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        println!("answer    {}", answer["choices"][0]["message"]["content"]);
    }

    reconify.reporter().shutdown(Duration::from_secs(5)).await;
    println!("counts    {}", reconify.reporter().stats());
    Ok(())
}

/// Answers with what OpenAI answers, and says late to which session that belongs.
async fn chat(
    slot: IdentitySlot,
    State(state): State<AppState>,
    Json(question): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    if let Some(conversation) = question["metadata"]["conversation"].as_str() {
        slot.set_session(Session::new(conversation).with_timeout(Duration::from_secs(30 * 60)));
    }
    let sent = state.http.post(state.openai).bearer_auth("sk-demo").json(&question).send().await;
    let answer = sent.map_err(|_| StatusCode::BAD_GATEWAY)?.json().await;
    answer.map(Json).map_err(|_| StatusCode::BAD_GATEWAY)
}

/// What the application knows of who is logged in: its own type, and its own extractor.
struct Claims {
    user: &'static str,
    email: &'static str,
}

impl From<Claims> for Identity {
    fn from(claims: Claims) -> Self {
        User::new(claims.user).email(claims.email).authenticated(true).into()
    }
}

impl OptionalFromRequestParts<Logins> for Claims {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        Logins(logins): &Logins,
    ) -> Result<Option<Self>, StatusCode> {
        let Some(credentials) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
        let token = credentials.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let login = logins.iter().find(|(known, ..)| Some(*known) == token);
        let (_, user, email) = login.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Some(Self { user, email }))
    }
}

/// Tokens with their users: a stand-in for the sessions of an application.
#[derive(Clone, Copy)]
struct Logins(&'static [(&'static str, &'static str, &'static str)]);

#[derive(Clone)]
struct AppState {
    openai: String,
    http: Client,
}
