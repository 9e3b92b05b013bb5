//! A simulated Anthropic: messages, streamed and not. What it says is made up from the question.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::openai::{split, words};

pub(crate) async fn start() -> std::io::Result<SocketAddr> {
    let nothing =
        async || error(StatusCode::NOT_FOUND, "not_found_error", "There is nothing at this address.");
    super::serve(Router::new().route("/v1/messages", post(answer)).fallback(nothing)).await
}

async fn answer(headers: HeaderMap, body: Bytes) -> Response {
    if !headers.contains_key("x-api-key") {
        return error(StatusCode::UNAUTHORIZED, "authentication_error", "x-api-key header is required");
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let Some(question) = request["messages"].as_array().and_then(|messages| messages.last()) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request_error", "messages: Field required");
    };
    let text = format!("This is the answer to {}", question["content"]);
    let (asked, said) = (words(&request.to_string()), words(&text));
    let message = |text: Option<&str>| {
        let content: Vec<_> = text.iter().map(|text| json!({"type": "text", "text": text})).collect();
        json!({
            "id": "msg_simulated", "type": "message", "role": "assistant", "model": request["model"],
            "content": content, "stop_reason": text.map(|_| "end_turn"), "stop_sequence": null,
            "usage": {"input_tokens": asked, "output_tokens": if text.is_some() { said } else { 1 }},
        })
    };
    if request["stream"] != true {
        return axum::Json(message(Some(&text))).into_response();
    }
    let mut events = vec![
        json!({"type": "message_start", "message": message(None)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend(split(&text).map(|piece| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
    }));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": said}}),
        json!({"type": "message_stop"}),
    ]);
    super::event_stream(
        events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()))
            .collect(),
    )
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    let error = json!({"type": "error", "error": {"type": kind, "message": message}});
    (status, axum::Json(error)).into_response()
}
