//! A collector: takes what Reconify takes, and prints a line a report.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;

use super::wire;

pub(crate) const APP_KEY: &str = "demo-app-key";
pub(crate) const API_KEY: &str = "demo-api-key";

pub(crate) async fn start() -> std::io::Result<SocketAddr> {
    super::serve(
        Router::new()
            .route("/track", post(track))
            .route("/upload", post(track))
            .layer(DefaultBodyLimit::disable()),
    )
    .await
}

async fn track(body: Bytes) -> (StatusCode, &'static str) {
    let report = serde_json::from_slice::<Value>(&body).map_err(|error| error.to_string());
    match report.and_then(|report| wire::check(&report, APP_KEY, API_KEY).map(|()| report)) {
        Ok(report) => {
            println!("report    {}", describe(&report));
            (StatusCode::OK, r#"{"status":"ok"}"#)
        }
        Err(problem) => {
            println!("report    not valid: {problem}");
            (StatusCode::BAD_REQUEST, r#"{"status":"error"}"#)
        }
    }
}

/// Type, user, session, model and tokens of a report, and the first words of question and answer.
fn describe(report: &Value) -> String {
    let text = |pointer: &str| report.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let user = match text("/user/userId") {
        none if none == "-" => text("/user/email"),
        id => id,
    };
    let (request, response) = (&report["request"], &report["response"]);
    let tokens = ["/usage/total_tokens", "/usage/output_tokens", "/usageMetadata/totalTokenCount"];
    let tokens = tokens.iter().find_map(|pointer| response.pointer(pointer));
    let tokens = tokens.map_or("-".to_owned(), Value::to_string);
    let last = |turns: &str| request[turns].as_array().and_then(|turns| turns.last());
    let asked = None
        .or_else(|| Some(&last("messages")?["content"]))
        .or_else(|| Some(&last("contents")?["parts"][0]["text"]))
        .unwrap_or(&request["prompt"]);
    let answers = [
        "/choices/0/message/content",
        "/choices/0/text",
        "/content/0/text",
        "/candidates/0/content/parts/0/text",
    ];
    let answered = answers.iter().find_map(|pointer| response.pointer(pointer)?.as_str());
    format!(
        "type={} user={user} session={} model={} tokens={tokens} asked={:?} answered={:?}",
        text("/reconify/type"),
        text("/session"),
        text("/request/model"),
        beginning(asked.as_str().unwrap_or_default()),
        beginning(answered.unwrap_or_default()),
    )
}

fn beginning(text: &str) -> String {
    text.chars().take(60).collect()
}
