//! What is sent and answered.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, Uri};
use tower_reconify::{Session, User};

use super::frames::{Frames, event, json};

#[derive(Clone)]
pub struct Scenario {
    pub path: &'static str,
    /// A part of memory that others share, as hyper has it.
    uri: Uri,
    request: Bytes,
    content_type: HeaderValue,
    pub frame: Bytes,
    pub frames: usize,
}

impl Scenario {
    pub fn named(name: &str) -> Option<Self> {
        let chat = "/v1/chat/completions";
        let (path, size, content_type, frame, frames) = match name {
            "json-1k" => (chat, 1_024, "application/json", json(1_024), 1),
            "json-16k" => (chat, 16_384, "application/json", json(16_384), 1),
            "stream-200" => (chat, 1_024, "text/event-stream", event(200), 200),
            "stream-2000" => (chat, 1_024, "text/event-stream", event(200), 2_000),
            "uncaptured" => ("/v1/models", 1_024, "application/json", json(1_024), 1),
            _ => return None,
        };
        let content_type = HeaderValue::from_static(content_type);
        Some(Self { path, uri: path.parse().ok()?, request: json(size), content_type, frame, frames })
    }

    /// From somebody who is known.
    pub fn request(&self) -> Request<Frames> {
        let body = Frames::new(self.request.clone(), 1);
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.extensions_mut().insert(User::new("user-42"));
        request.extensions_mut().insert(Session::new("session-7"));
        request
    }

    /// Its body, as the answer of a service.
    pub fn response(&self) -> Response<Frames> {
        let mut response = Response::new(Frames::new(self.frame.clone(), self.frames));
        response.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
        response
    }
}
