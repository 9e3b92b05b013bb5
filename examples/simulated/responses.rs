//! The Responses API of the simulated OpenAI, unstreamed.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::openai::{check, error, words};

pub(crate) fn answer(headers: &HeaderMap, body: &Bytes) -> Response {
    let request = match check("input", headers, body) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    if request["stream"] == true {
        return error(StatusCode::BAD_REQUEST, "The simulated Responses API does not stream.", Value::Null);
    }
    let text = format!("This is the response to {}", request["input"]);
    let (asked, said) = (words(&request.to_string()), words(&text));
    let message = json!({
        "type": "message",
        "id": "msg_simulated",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    });
    let whole = json!({
        "id": "resp_simulated",
        "object": "response",
        "created_at": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        "status": "completed",
        "model": request["model"],
        "output": [message],
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        },
    });
    axum::Json(whole).into_response()
}
