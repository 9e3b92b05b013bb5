//! A simulated OpenAI: answers of 1 KiB, and streams of 50 frames of 200 bytes, as fast as they are taken.

use std::convert::Infallible;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use crate::{Error, child};

/// The words with which every answer ends: a report that has them holds all of it.
pub(crate) const LAST_WORDS: &str = "and that was all of it.";

const FRAMES: usize = 50;

pub(crate) static ANSWER: LazyLock<Bytes> = LazyLock::new(|| {
    let shape = |text: &str| {
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}{LAST_WORDS}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":200,"completion_tokens":150,"total_tokens":350}}}}"#
        )
    };
    let text = "word ".repeat((1024 - shape("").len()) / 5);
    Bytes::from(shape(&text))
});

pub(crate) static EVENTS: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let event = |text: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let text = "x".repeat(200 - event("", "null").len());
    let mut events = vec![Bytes::from(event(&text, "null")); FRAMES - 2];
    events.push(event(LAST_WORDS, "\"stop\"").into());
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
});

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run() -> Result<(), Error> {
    let app = Router::new().route("/v1/chat/completions", post(respond));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    child::answer(listener.local_addr()?, String::new);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

async fn respond(question: Bytes) -> Response<Body> {
    let is_streamed = memchr::memmem::find(&question, br#""stream":true"#).is_some();
    let (kind, body) = if is_streamed {
        let frames = stream::iter(EVENTS.iter().map(|event| Ok::<_, Infallible>(event.clone())));
        ("text/event-stream", Body::from_stream(frames))
    } else {
        ("application/json", Body::from(ANSWER.clone()))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
