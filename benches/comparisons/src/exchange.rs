//! Exchanges in memory, and a service that answers.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use tower::{Service, service_fn};
use tower_reconify::{Session, User};

use tower_reconify_instructions::frames::{Frames, drain, event, json};

/// What is sent and answered.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    path: &'static str,
    request: Bytes,
    content_type: &'static str,
    frame: Bytes,
    pub frames: usize,
}

/// A request and a response of JSON, `size` bytes each.
pub fn unstreamed(name: &'static str, size: usize) -> Scenario {
    let (path, content_type) = ("/v1/chat/completions", "application/json");
    Scenario { name, path, request: json(size), content_type, frame: json(size), frames: 1 }
}

/// A stream of frames of 200 bytes.
pub fn streamed(name: &'static str, frames: usize) -> Scenario {
    let (path, content_type) = ("/v1/chat/completions", "text/event-stream");
    Scenario { name, path, request: json(1_024), content_type, frame: event(200), frames }
}

/// JSON on a route that is not captured.
pub fn uncaptured(name: &'static str) -> Scenario {
    Scenario { path: "/v1/models", ..unstreamed(name, 1_024) }
}

impl Scenario {
    pub fn is_captured(&self) -> bool {
        self.path.ends_with("/completions")
    }

    pub fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.request.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static(self.path);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.extensions_mut().insert(User::new("user-42"));
        request.extensions_mut().insert(Session::new("session-7"));
        request
    }

    pub fn response(&self) -> Response<Body> {
        let body = Frames::new(self.frame.clone(), self.frames);
        let mut response = Response::new(Body::new(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response
    }

    /// A service that reads the request and answers.
    pub fn service<B>(
        &self,
    ) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
    + use<B>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let scenario = self.clone();
        service_fn(move |request: Request<B>| {
            let response = scenario.response();
            async move {
                drain(request.into_body()).await;
                Ok(response)
            }
        })
    }
}
