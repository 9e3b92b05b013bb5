//! What a report must look like: the vendor's REST documentation, and what its own modules send.

use serde_json::Value;

type Check = fn(&Value) -> bool;

pub(crate) fn check(report: &Value, app_key: &str, api_key: &str) -> Result<(), String> {
    let is_number: Check = |value| value.is_u64();
    let is_text: Check = |value| value.as_str().is_some_and(|text| !text.is_empty());
    let is_object: Check = Value::is_object;
    let is_array: Check = Value::is_array;

    let version = match report["reconify"]["format"].as_str() {
        Some("openai" | "bedrock") => "1.0.0",
        Some("cohere") => "2.1.0",
        Some("gemini") => "2.2.0",
        Some("mistral" | "perplexity") => "2.4.0",
        Some("anthropic") => "3.0.0",
        Some("universal") => "3.1.0",
        other => return Err(format!("/reconify/format is {other:?}")),
    };
    expect(report, "/reconify/version", |value| value == version)?;
    expect(report, "/reconify/appKey", |value| value == app_key)?;
    expect(report, "/reconify/apiKey", |value| value == api_key)?;
    if report["reconify"]["type"] == "image-upload" {
        expect(report, "/upload/filename", is_text)?;
        expect(report, "/upload/type", |value| value == "response-image")?;
        expect(report, "/upload/format", |value| value == "b64_json")?;
        return expect(report, "/upload/data", is_object);
    }
    expect(report, "/timestamps/request", is_number)?;
    expect(report, "/timestamps/response", |value| {
        value.as_u64() >= report.pointer("/timestamps/request").and_then(Value::as_u64)
    })?;
    expect(report, "/session", |value| value.is_null() || is_text(value))?;
    expect(report, "/sessionTimeout", |value| value.is_null() || is_number(value))?;
    expect(report, "/user", is_object)?;
    check_user(&report["user"])?;
    expect(report, "/request", is_object)?;
    expect(report, "/response", is_object)?;
    match report["reconify"]["type"].as_str() {
        Some("chat" | "completion" | "generate") if report["reconify"]["format"] != "openai" => {
            check_content(report)
        }
        Some("chat") => {
            expect(report, "/request/messages", is_array)?;
            expect(report, "/response/choices", is_array)
        }
        Some("completion") => {
            expect(report, "/request/prompt", |_| true)?;
            expect(report, "/response/choices", is_array)
        }
        Some("image") => expect(report, "/response/data", is_array),
        Some(
            "assistant" | "response" | "embedding" | "moderation" | "speech" | "transcription"
            | "translation",
        ) => Ok(()),
        other => Err(format!("/reconify/type is {other:?}")),
    }
}

/// The fields that hold question and answer in the other formats.
fn check_content(report: &Value) -> Result<(), String> {
    let (asked, answered): (&[&str], &[&str]) = match report["reconify"]["format"].as_str() {
        Some("anthropic") => (&["messages", "prompt"], &["content", "completion"]),
        Some("gemini") => (&["contents"], &["candidates", "promptFeedback"]),
        Some("bedrock") => (&["body"], &["body"]),
        Some("cohere") => (&["messages", "message", "prompt"], &["message", "text", "generations"]),
        Some("universal") => (&["messages", "prompt"], &["message", "response"]),
        _ => (&["messages"], &["choices"]),
    };
    for (side, keys) in [("request", asked), ("response", answered)] {
        // In place of an answer, an error is told.
        if report[side].get("error").is_none() && keys.iter().all(|key| report[side].get(key).is_none()) {
            return Err(format!("/{side} has none of {}", keys.join(", ")));
        }
    }
    Ok(())
}

fn check_user(user: &Value) -> Result<(), String> {
    let fields = user.as_object().into_iter().flatten();
    for (name, value) in fields {
        let is_right = match name.as_str() {
            "userId" | "email" | "firstName" | "lastName" | "phone" | "gender" => value.is_string(),
            "isAuthenticated" => value == 0 || value == 1,
            _ => false,
        };
        if !is_right {
            return Err(format!("/user/{name} is {value}"));
        }
    }
    let is_told = user.get("userId").or(user.get("email")).is_some();
    if is_told || user == &serde_json::json!({}) {
        Ok(())
    } else {
        Err("/user has neither userId nor email".into())
    }
}

fn expect(report: &Value, pointer: &str, is_right: impl Fn(&Value) -> bool) -> Result<(), String> {
    match report.pointer(pointer) {
        Some(value) if is_right(value) => Ok(()),
        Some(value) => {
            Err(format!("{pointer} is {}", value.to_string().chars().take(60).collect::<String>()))
        }
        None => Err(format!("{pointer} is missing")),
    }
}
