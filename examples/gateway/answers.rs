//! The answers that the gateway gives itself.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// An error in the shape of OpenAI's.
pub(crate) fn problem(status: StatusCode, message: &str) -> Response {
    let error = serde_json::json!({"error": {"message": message, "type": "gateway_error", "param": null, "code": null}});
    (status, axum::Json(error)).into_response()
}
