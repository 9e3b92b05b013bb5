//! A simulated OpenAI: chat and text completions, streamed and not, and the Responses API, with the shapes of the real
//! one's answers and errors. What it says is made up from the question.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::responses;

const MODELS: [&str; 8] =
    ["gpt-3.5-turbo", "gpt-4", "gpt-5", "o1", "o3", "o4", "davinci-002", "text-davinci"];

pub(crate) async fn start() -> std::io::Result<SocketAddr> {
    let app = Router::new()
        .route("/v1/chat/completions", post(async |headers, body| answer(Kind::Chat, &headers, &body)))
        .route("/v1/completions", post(async |headers, body| answer(Kind::Completion, &headers, &body)))
        .route("/v1/responses", post(async |headers, body| responses::answer(&headers, &body)))
        .fallback(async || error(StatusCode::NOT_FOUND, "There is nothing at this address.", Value::Null))
        .layer(DefaultBodyLimit::disable());
    super::serve(app).await
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Chat,
    Completion,
}

fn answer(kind: Kind, headers: &HeaderMap, body: &Bytes) -> Response {
    let wanted = if kind == Kind::Chat { "messages" } else { "prompt" };
    let request = match check(wanted, headers, body) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let whole = whole(kind, &request);
    if request["stream"] != true {
        return axum::Json(whole).into_response();
    }
    let with_usage = request["stream_options"]["include_usage"] == true;
    let events: Vec<String> = chunks(kind, &whole, with_usage)
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .chain(["data: [DONE]\n\n".to_owned()])
        .collect();
    super::event_stream(events)
}

/// The request, if it has a key, a model and the field that is wanted.
pub(super) fn check(wanted: &str, headers: &HeaderMap, body: &Bytes) -> Result<Value, Box<Response>> {
    let refuse = |status, message: &str, code| Box::new(error(status, message, code));
    if !headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"Bearer ")) {
        return Err(refuse(StatusCode::UNAUTHORIZED, "No API key: send one as a bearer token.", Value::Null));
    }
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return Err(refuse(StatusCode::BAD_REQUEST, "The body is not valid JSON.", Value::Null));
    };
    if request["model"].as_str().is_none() || request[wanted].is_null() {
        let message = format!("The parameters 'model' and '{wanted}' are required.");
        return Err(refuse(StatusCode::BAD_REQUEST, &message, "missing_required_parameter".into()));
    }
    let model = request["model"].as_str().unwrap_or_default();
    if !MODELS.iter().any(|known| model.starts_with(known)) {
        let message = format!("The model '{model}' does not exist.");
        return Err(refuse(StatusCode::NOT_FOUND, &message, "model_not_found".into()));
    }
    Ok(request)
}

pub(super) fn error(status: StatusCode, message: &str, code: Value) -> Response {
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
    (status, axum::Json(json!({"error": error}))).into_response()
}

/// The answer of an unstreamed call.
fn whole(kind: Kind, request: &Value) -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let n = request["n"].as_u64().unwrap_or(1).clamp(1, 8);
    let choices: Vec<Value> = (0..n).map(|index| choice(kind, request, index)).collect();
    let asked = words(&request.to_string());
    let said: usize = choices.iter().map(|choice| words(&choice.to_string())).sum();
    let (prefix, object) = match kind {
        Kind::Chat => ("chatcmpl", "chat.completion"),
        Kind::Completion => ("cmpl", "text_completion"),
    };
    json!({
        "id": format!("{prefix}-simulated-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
        "object": object,
        "created": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        "model": request["model"],
        "choices": choices,
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
        "system_fingerprint": "fp_simulated",
    })
}

fn choice(kind: Kind, request: &Value, index: u64) -> Value {
    if kind == Kind::Completion {
        let text = format!("\n\nThis is answer {} to {}", index + 1, request["prompt"]);
        return json!({"text": text, "index": index, "logprobs": null, "finish_reason": "stop"});
    }
    let tools: Vec<&str> = request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .collect();
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    if tools.is_empty() {
        let question =
            request["messages"].as_array().and_then(|messages| messages.last()).map(|last| &last["content"]);
        message["content"] =
            format!("This is answer {} to {}", index + 1, question.unwrap_or(&Value::Null)).into();
    } else {
        // Two at the least, so that parallel calls can be seen: the same tool twice if there is only one.
        let calls = tools.iter().cycle().take(tools.len().max(2)).enumerate().map(|(i, name)| {
            let arguments = json!({"question": i, "answer": index}).to_string();
            json!({"id": format!("call_{index}_{i}"), "type": "function", "function": {"name": name, "arguments": arguments}})
        });
        message["tool_calls"] = calls.collect();
    }
    let finish = if tools.is_empty() { "stop" } else { "tool_calls" };
    json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish})
}

/// The same answer, in the chunks of a stream. Those of several choices, and of several tool calls, take turns.
fn chunks(kind: Kind, whole: &Value, with_usage: bool) -> Vec<Value> {
    let chunk = |choices: Value, usage: Option<&Value>| {
        let mut chunk = whole.clone();
        if kind == Kind::Chat {
            chunk["object"] = "chat.completion.chunk".into();
        }
        chunk["choices"] = choices;
        match usage {
            Some(usage) => chunk["usage"] = usage.clone(),
            None if with_usage => chunk["usage"] = Value::Null,
            None => drop(chunk.as_object_mut().and_then(|fields| fields.remove("usage"))),
        }
        chunk
    };
    let mut lanes: Vec<_> = whole["choices"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|choice| match kind {
            Kind::Chat => chat_pieces(choice).into_iter(),
            Kind::Completion => completion_pieces(choice).into_iter(),
        })
        .collect();
    let mut chunks = Vec::new();
    while lanes.iter().any(|lane| lane.len() > 0) {
        for piece in lanes.iter_mut().filter_map(Iterator::next) {
            chunks.push(chunk(json!([piece]), None));
        }
    }
    if with_usage {
        chunks.push(chunk(json!([]), Some(&whole["usage"])));
    }
    chunks
}

fn chat_pieces(choice: &Value) -> Vec<Value> {
    let message = &choice["message"];
    let mut deltas = vec![
        json!({"role": "assistant", "content": if message["content"].is_null() { Value::Null } else { "".into() }, "refusal": null}),
    ];
    deltas.extend(
        split(message["content"].as_str().unwrap_or_default()).map(|piece| json!({"content": piece})),
    );
    let mut arguments = Vec::new();
    for (i, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let mut call = call.clone();
        call["index"] = i.into();
        let text = call["function"]["arguments"].take();
        call["function"]["arguments"] = "".into();
        deltas.push(json!({"tool_calls": [call]}));
        let pieces = split(text.as_str().unwrap_or_default());
        arguments.extend(pieces.enumerate().map(|(turn, piece)| (turn, i, piece.to_owned())));
    }
    arguments.sort();
    deltas.extend(
        arguments
            .into_iter()
            .map(|(_, i, piece)| json!({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})),
    );
    let last = deltas.len();
    deltas.push(json!({}));
    let piece = |(i, delta)| {
        let finish = if i == last { choice["finish_reason"].clone() } else { Value::Null };
        json!({"index": choice["index"], "delta": delta, "logprobs": null, "finish_reason": finish})
    };
    deltas.into_iter().enumerate().map(piece).collect()
}

fn completion_pieces(choice: &Value) -> Vec<Value> {
    let piece = |text: &str, finish: &Value| json!({"text": text, "index": choice["index"], "logprobs": null, "finish_reason": finish});
    let pieces = split(choice["text"].as_str().unwrap_or_default()).map(|text| piece(text, &Value::Null));
    pieces.chain([piece("", &choice["finish_reason"])]).collect()
}

/// About a token each.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', ','])
}

pub(super) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
