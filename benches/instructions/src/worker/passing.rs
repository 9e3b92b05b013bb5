//! How exchanges reach the worker: through the layer, as they do in a service.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use tower::{Layer, Service, service_fn};
use tower_reconify::{ReconifyLayer, Session, User};

use super::exchanges::{Api, Exchange};

/// A body of frames that are all there.
struct Frames(VecDeque<Bytes>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lets an exchange pass the layer, from the first byte to the last.
pub fn pass(layer: &ReconifyLayer, exchange: &Exchange) {
    let frames = |frames: &[Bytes]| Frames(frames.iter().cloned().collect());
    let content_type = |is_stream| match is_stream {
        true => HeaderValue::from_static("text/event-stream"),
        false => HeaderValue::from_static("application/json"),
    };
    let mut request = Request::new(frames(&exchange.request));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static(exchange.api.path());
    request.headers_mut().insert(CONTENT_TYPE, content_type(false));
    if exchange.api == Api::Anthropic {
        request.headers_mut().insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    request.extensions_mut().insert(User::new("user-42"));
    request.extensions_mut().insert(Session::new("session-7"));
    let mut service = layer.layer(service_fn(|request: Request<_>| {
        let mut response = Response::new(frames(&exchange.response));
        response.headers_mut().insert(CONTENT_TYPE, content_type(exchange.is_stream));
        async move {
            drain(request.into_body()).await;
            Ok::<_, Infallible>(response)
        }
    }));
    let passing = pin!(async move {
        let Ok(response) = service.call(request).await;
        drain(response.into_body()).await;
    });
    assert!(passing.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

async fn drain(body: impl Body<Data = Bytes>) {
    let mut body = pin!(body);
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        std::hint::black_box(frame);
    }
}
