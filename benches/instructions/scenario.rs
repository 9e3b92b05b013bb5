//! What is sent and answered.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use tower_reconify::{Session, User};

#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) path: &'static str,
    /// A part of memory that others share, as hyper has it.
    uri: Uri,
    request: Bytes,
    content_type: HeaderValue,
    pub(crate) frame: Bytes,
    pub(crate) frames: usize,
}

impl Scenario {
    pub(crate) fn named(name: &str) -> Option<Self> {
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
    pub(crate) fn request(&self) -> Request<Frames> {
        let body = Frames { frame: self.request.clone(), left: 1 };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.extensions_mut().insert(User::new("user-42"));
        request.extensions_mut().insert(Session::new("session-7"));
        request
    }

    /// Its body, as the answer of a service.
    pub(crate) fn response(&self) -> Response<Frames> {
        let mut response = Response::new(Frames { frame: self.frame.clone(), left: self.frames });
        response.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
        response
    }
}

fn json(size: usize) -> Bytes {
    let head = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    Bytes::from(format!("{head}{}\"}}}}]}}", "x".repeat(size.saturating_sub(head.len() + 5))))
}

fn event(size: usize) -> Bytes {
    let head =
        r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
    Bytes::from(format!("{head}{}\"}}}}]}}\n\n", "x".repeat(size.saturating_sub(head.len() + 7))))
}

/// A body of equal frames, each of which is there when it is asked for.
pub(crate) struct Frames {
    frame: Bytes,
    left: usize,
}

impl Body for Frames {
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

pub(crate) async fn drain(body: impl Body<Data = Bytes>) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        black_box(frame);
    }
}
