//! A simulated Gemini: `generateContent`, and `streamGenerateContent` as events. What it says is made up from the
//! question.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::openai::{split, words};

pub(crate) async fn start() -> std::io::Result<SocketAddr> {
    let nothing = async || error(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this address.");
    super::serve(Router::new().route("/v1beta/models/{call}", post(answer)).fallback(nothing)).await
}

async fn answer(Path(call): Path<String>, body: Bytes) -> Response {
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let Some(question) = request["contents"].as_array().and_then(|contents| contents.last()) else {
        return error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "contents is not specified");
    };
    let text = format!("This is the answer to {}", question["parts"][0]["text"]);
    let (asked, said) = (words(&request.to_string()), words(&text));
    let (model, method) = call.split_once(':').unwrap_or_default();
    let chunk = |text: &str, finish: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": {"promptTokenCount": asked, "candidatesTokenCount": said, "totalTokenCount": asked + said},
            "modelVersion": model,
            "responseId": "simulated",
        })
    };
    match method {
        "generateContent" => axum::Json(chunk(&text, Some("STOP"))).into_response(),
        "streamGenerateContent" => {
            let chunks = split(&text).map(|piece| chunk(piece, None)).chain([chunk("", Some("STOP"))]);
            super::event_stream(chunks.map(|chunk| format!("data: {chunk}\r\n\r\n")).collect())
        }
        _ => error(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such method."),
    }
}

fn error(status: StatusCode, name: &str, message: &str) -> Response {
    let error = json!({"error": {"code": status.as_u16(), "message": message, "status": name}});
    (status, axum::Json(error)).into_response()
}
