//! What is compared with: a payload built with `serde_json::Value` and a struct, as most would write it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::exchanges::Api;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    reconify: Envelope,
    timestamps: Timestamps,
    session: Option<&'static str>,
    session_timeout: Option<u32>,
    user: User,
    request: Value,
    response: Value,
}

#[derive(Serialize)]
struct Envelope {
    format: &'static str,
    r#type: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Timestamps {
    request: u64,
    response: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: &'static str,
}

/// From bytes to payload. Callgrind counts what happens in here.
#[inline(never)]
pub fn report(request: &[u8], response: &[u8], api: Api, is_stream: bool) -> serde_json::Result<Vec<u8>> {
    let (format, version, assembled): (_, _, fn(&[u8]) -> _) = match api {
        Api::OpenAi => ("openai", "1.0.0", assembled),
        Api::Anthropic => ("anthropic", "3.0.0", assembled_message),
        Api::Gemini => ("gemini", "2.2.0", assembled_candidate),
    };
    let mut request: Value = serde_json::from_slice(request)?;
    let r#type = if api == Api::Gemini { "generate" } else { "chat" };
    if api == Api::Gemini {
        request["model"] = "gemini-2.5-flash".into();
    }
    let response = if is_stream { assembled(response)? } else { serde_json::from_slice(response)? };
    let payload = Payload {
        reconify: Envelope { format, r#type, version },
        timestamps: Timestamps { request: 1_689_703_471_457, response: 1_689_703_474_393 },
        session: Some("session-7"),
        session_timeout: None,
        user: User { user_id: "user-42" },
        request,
        response,
    };
    serde_json::to_vec(&payload)
}

/// A `Value` a chunk, all merged into one. No more than a stream of one answer in text needs.
fn assembled(stream: &[u8]) -> serde_json::Result<Value> {
    let mut whole = Map::new();
    let mut content = String::new();
    let mut finish_reason = Value::Null;
    for line in stream.split(|byte| *byte == b'\n') {
        let Some(data) = line.strip_prefix(b"data: ").filter(|data| *data != b"[DONE]") else { continue };
        let Value::Object(chunk) = serde_json::from_slice(data)? else { continue };
        for (key, value) in chunk {
            match key.as_str() {
                "choices" => {
                    for choice in value.as_array().into_iter().flatten() {
                        let said = choice.get("delta").and_then(|delta| delta.get("content"));
                        content.push_str(said.and_then(Value::as_str).unwrap_or_default());
                        if let Some(reason) = choice.get("finish_reason").filter(|reason| !reason.is_null()) {
                            finish_reason = reason.clone();
                        }
                    }
                }
                "obfuscation" => {}
                _ => drop(whole.insert(key, value)),
            }
        }
    }
    whole.insert("object".into(), "chat.completion".into());
    let message = json!({"role": "assistant", "content": content});
    whole.insert(
        "choices".into(),
        json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason}]),
    );
    Ok(Value::Object(whole))
}

/// The same for a message of one text.
fn assembled_message(stream: &[u8]) -> serde_json::Result<Value> {
    let mut message = Value::Null;
    let mut text = String::new();
    for line in stream.split(|byte| *byte == b'\n') {
        let Some(data) = line.strip_prefix(b"data: ") else { continue };
        let mut event: Value = serde_json::from_slice(data)?;
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => message = event["message"].take(),
            "content_block_delta" => text.push_str(event["delta"]["text"].as_str().unwrap_or_default()),
            "message_delta" => {
                for place in ["delta", "usage"] {
                    let Value::Object(fields) = event[place].take() else { continue };
                    for (key, value) in fields {
                        if place == "usage" {
                            message["usage"][key] = value;
                        } else {
                            message[key] = value;
                        }
                    }
                }
            }
            _ => {}
        }
    }
    message["content"] = json!([{"type": "text", "text": text}]);
    Ok(message)
}

/// The same for a candidate of one text.
fn assembled_candidate(stream: &[u8]) -> serde_json::Result<Value> {
    let mut whole = Map::new();
    let mut candidate = Map::new();
    let mut text = String::new();
    for line in stream.split(|byte| *byte == b'\n') {
        let Some(data) = line.strip_prefix(b"data: ") else { continue };
        let Value::Object(chunk) = serde_json::from_slice(data)? else { continue };
        for (key, mut value) in chunk {
            if key != "candidates" {
                whole.insert(key, value);
                continue;
            }
            text.push_str(value[0]["content"]["parts"][0]["text"].as_str().unwrap_or_default());
            let Value::Object(fields) = value[0].take() else { continue };
            candidate.extend(fields);
        }
    }
    candidate.insert("content".into(), json!({"role": "model", "parts": [{"text": text}]}));
    whole.insert("candidates".into(), json!([candidate]));
    Ok(Value::Object(whole))
}
