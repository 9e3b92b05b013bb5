//! Exchanges in memory, and a service that answers.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use tower::{Service, service_fn};
use tower_reconify::{Session, User};

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

/// A body of equal frames, each of which is there when it is asked for.
pub struct Frames {
    frame: Bytes,
    left: usize,
}

impl Frames {
    pub fn new(frame: Bytes, left: usize) -> Self {
        Self { frame, left }
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.frame.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.left * self.frame.len()) as u64)
    }
}

/// JSON of about so many bytes.
pub fn json(size: usize) -> Bytes {
    let head = r#"{"id":"c","object":"chat.completion","messages":[],"choices":[{"index":0,"message":{"role":"assistant","content":""#;
    Bytes::from(format!("{head}{}\"}}}}]}}", "x".repeat(size.saturating_sub(head.len() + 5))))
}

/// A chunk of a stream, of so many bytes.
pub fn event(size: usize) -> Bytes {
    let head =
        r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
    Bytes::from(format!("{head}{}\"}}}}]}}\n\n", "x".repeat(size.saturating_sub(head.len() + 7))))
}

/// JSON of so many bytes, asked and answered.
pub fn unstreamed(name: &'static str, size: usize) -> Scenario {
    let (path, content_type) = ("/v1/chat/completions", "application/json");
    Scenario { name, path, request: json(size), content_type, frame: json(size), frames: 1 }
}

/// A stream of so many frames of 200 bytes.
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

/// Reads a body to its end.
pub async fn drain(body: impl http_body::Body<Data = Bytes>) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        black_box(frame);
    }
}
