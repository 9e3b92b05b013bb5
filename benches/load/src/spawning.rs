//! What others do: a task an exchange, which posts it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use outlet::{RequestData, RequestHandler, ResponseData};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Error;

/// Posts records to the collector with reqwest, as `ReconifyLayer` does, and tries each once.
#[derive(Clone)]
pub(crate) struct Poster {
    client: reqwest::Client,
    url: String,
}

impl Poster {
    pub(crate) fn new(collector: SocketAddr) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self { client, url: format!("http://{collector}/track") })
    }

    /// What could not be posted is lost: nobody is there to be told.
    pub(crate) async fn post(&self, record: Vec<u8>) {
        let answer =
            self.client.post(&self.url).header(CONTENT_TYPE, "application/json").body(record).send().await;
        if let Ok(answer) = answer {
            drop(answer.bytes().await);
        }
    }
}

#[derive(Serialize)]
struct Record<T> {
    request: T,
    response: T,
}

/// JSON as it came, anything else as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Json(&'a RawValue),
    Text(std::borrow::Cow<'a, str>),
}

impl<'a> Part<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Text(String::from_utf8_lossy(bytes)),
        }
    }
}

/// Collects both bodies, and spawns a task that posts them as they are.
pub(crate) async fn spawn_and_post(State(poster): State<Poster>, request: Request, next: Next) -> Response {
    collected(request, next, |asked, answered| async move {
        let record = Record { request: Part::of(&asked), response: Part::of(&answered) };
        poster.post(serde_json::to_vec(&record).unwrap_or_default()).await;
    })
    .await
}

/// Passes the answer's frames on as they come, copies them, and spawns a task at the end that posts them as they are.
pub(crate) async fn tee_and_post(State(poster): State<Poster>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(asked) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let asked = asked.to_bytes();
    let mut copy = Copied { poster, asked: asked.clone(), answered: Vec::new() };
    let response = next.run(Request::from_parts(parts, Body::from(asked))).await;
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            copy.answered.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            frame
        }))
    })
}

/// What is posted when the body that fills it is dropped.
struct Copied {
    poster: Poster,
    asked: Bytes,
    answered: Vec<u8>,
}

impl Drop for Copied {
    fn drop(&mut self) {
        let (poster, asked) = (self.poster.clone(), self.asked.clone());
        let answered = std::mem::take(&mut self.answered);
        tokio::spawn(async move {
            let record = Record { request: Part::of(&asked), response: Part::of(&answered) };
            poster.post(serde_json::to_vec(&record).unwrap_or_default()).await;
        });
    }
}

/// Collects both bodies, and spawns a task that parses them into values, and posts those.
pub(crate) async fn tutorial(State(poster): State<Poster>, request: Request, next: Next) -> Response {
    collected(request, next, |asked, answered| async move {
        let record = Record { request: parsed(&asked), response: parsed(&answered) };
        poster.post(serde_json::to_vec(&record).unwrap_or_default()).await;
    })
    .await
}

/// A value, or those of a stream's events.
fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(bytes);
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events.filter_map(|event| serde_json::from_str::<Value>(event).ok()).collect()
    })
}

async fn collected<F>(request: Request, next: Next, report: impl FnOnce(Bytes, Bytes) -> F) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let Ok(asked) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let asked = asked.to_bytes();
    let response = next.run(Request::from_parts(parts, Body::from(asked.clone()))).await;
    let (parts, body) = response.into_parts();
    let Ok(answered) = body.collect().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let answered = answered.to_bytes();
    tokio::spawn(report(asked, answered.clone()));
    Response::from_parts(parts, Body::from(answered))
}

/// outlet's own tasks call this, one an exchange.
impl RequestHandler for Poster {
    async fn handle_request(&self, _: RequestData) {}

    async fn handle_response(&self, asked: RequestData, answered: ResponseData) {
        let (asked, answered) = (asked.body.unwrap_or_default(), answered.body.unwrap_or_default());
        let record = Record { request: Part::of(&asked), response: Part::of(&answered) };
        self.post(serde_json::to_vec(&record).unwrap_or_default()).await;
    }
}
