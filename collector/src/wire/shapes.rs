//! What a backend written for the vendor's modules will reach for, by format and type.

use super::{Findings, is_filled};
use crate::json::{Json, Object};

/// A format, the version that the vendor names for it, and its types.
pub(super) struct Row {
    format: &'static str,
    pub(super) version: &'static str,
    pub(super) types: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        format: "openai",
        version: "1.0.0",
        types: &[
            "chat",
            "completion",
            "image",
            "assistant",
            "response",
            "embedding",
            "moderation",
            "speech",
            "transcription",
            "translation",
        ],
    },
    Row { format: "anthropic", version: "3.0.0", types: &["chat", "completion"] },
    Row { format: "gemini", version: "2.2.0", types: &["generate", "chat"] },
    Row { format: "bedrock", version: "1.0.0", types: &["chat"] },
    Row { format: "cohere", version: "2.1.0", types: &["chat", "generate"] },
    Row { format: "mistral", version: "2.4.0", types: &["chat"] },
    Row { format: "perplexity", version: "2.4.0", types: &["chat"] },
    Row { format: "universal", version: "3.1.0", types: &["chat"] },
];

pub(super) fn row(format: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.format == format)
}

pub(super) fn formats() -> String {
    ROWS.iter().map(|row| row.format).collect::<Vec<_>>().join(", ")
}

/// Checks request and response. An error is taken in the shape that the provider gave it.
pub(super) fn check<'j>(
    row: &Row,
    kind: &str,
    request: Json<'j>,
    response: Json<'j>,
    findings: &mut Findings,
) {
    let (request, answer) = (request.object(), response.object());
    let is_error = answer.get("error").is_some() || answer.get("detail").is_some();
    let is_flat_error =
        is_error || (row.format != "openai" && answer.get("message").is_some_and(Json::is_string));
    let mut need =
        |object: &Object<'j>, part: &str, name: &str, expected: &str, is_right: fn(Json<'j>) -> bool| {
            findings.expect(&format!("/{part}/{name}"), object.get(name), expected, is_right);
        };
    let any: fn(Json<'j>) -> bool = |_| true;
    match (row.format, kind) {
        ("openai" | "mistral" | "perplexity", "chat") => {
            need(&request, "request", "messages", "an array", Json::is_array);
            if !is_flat_error {
                need(&answer, "response", "choices", "an array", Json::is_array);
            }
        }
        ("openai", "completion") => {
            need(&request, "request", "prompt", "a prompt", any);
            if !is_error {
                need(&answer, "response", "choices", "an array", Json::is_array);
            }
        }
        ("openai", "image") if !is_error => need(&answer, "response", "data", "an array", Json::is_array),
        ("anthropic", "chat") => {
            need(&request, "request", "messages", "an array", Json::is_array);
            if !is_error {
                need(&answer, "response", "content", "an array", Json::is_array);
            }
        }
        ("anthropic", "completion") => {
            need(&request, "request", "prompt", "a string", Json::is_string);
            if !is_error {
                need(&answer, "response", "completion", "a string", Json::is_string);
            }
        }
        ("gemini", _) => {
            need(&request, "request", "contents", "an array", Json::is_array);
            need(&request, "request", "model", "a non-empty string", is_filled);
            if request.get("history").is_some() || kind == "chat" {
                need(&request, "request", "history", "an array, as the type is chat", Json::is_array);
            }
            if !is_error && answer.get("promptFeedback").is_none() {
                need(&answer, "response", "candidates", "an array", Json::is_array);
            }
        }
        ("bedrock", _) => {
            need(&request, "request", "modelId", "a non-empty string", is_filled);
            need(&request, "request", "body", "a string of JSON", |json| {
                json.string().is_some_and(|body| Json::parse(&body).is_ok())
            });
            need(&answer, "response", "body", "an object", Json::is_object);
        }
        ("cohere", "chat") => {
            if request.get("message").is_none() {
                need(&request, "request", "messages", "an array, or `message`", Json::is_array);
            }
            let is_answered = answer.get("text").is_some() || is_flat_error;
            if !is_answered {
                need(&answer, "response", "message", "an object, or `text`", Json::is_object);
            }
        }
        ("cohere", "generate") => {
            need(&request, "request", "prompt", "a string", Json::is_string);
            if !is_flat_error {
                need(&answer, "response", "generations", "an array", Json::is_array);
            }
        }
        ("universal", _) => {
            if request.get("prompt").is_none() {
                need(&request, "request", "messages", "an array, or `prompt`", Json::is_array);
            }
            if !is_error && !["response", "choices"].iter().any(|name| answer.get(name).is_some()) {
                need(
                    &answer,
                    "response",
                    "message",
                    "an object, or `response` or `choices`",
                    Json::is_object,
                );
            }
        }
        _ => {}
    }
}
