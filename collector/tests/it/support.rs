//! A client of the collector's routes, and reports to send.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use reconify_collector::{Collector, CollectorBuilder};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::schema;

pub(crate) struct Client {
    pub(crate) collector: Collector,
    router: Router,
    description: Value,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

pub(crate) fn client() -> Client {
    Client::new(Collector::builder())
}

impl Client {
    pub(crate) fn new(builder: CollectorBuilder) -> Self {
        let collector = builder.build();
        Self { router: collector.router(), collector, description: schema::description() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().as_str().to_lowercase(), request.uri().to_string());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        let is_export = answer.headers.contains_key("content-disposition") || path.ends_with("/raw");
        let is_json = answer.headers.get("content-type").is_some_and(|kind| kind == "application/json");
        let schema = schema::schema(&self.description, &method, &path, answer.status.as_u16());
        if let Some(schema) = schema.filter(|_| is_json && !is_export) {
            let mut out = Vec::new();
            schema::differences(&self.description, schema, &answer.json(), "", &mut out);
            assert_eq!(out, [] as [String; 0], "{method} {path}");
        }
        answer
    }

    pub(crate) async fn with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "localhost:8788");
        let request = headers.iter().fold(request, |all, (name, value)| all.header(*name, *value));
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.with("GET", path, &[], Body::empty()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    /// The answer as text.
    pub(crate) async fn get_text(&self, path: &str) -> String {
        self.with("GET", path, &[], Body::empty()).await.text()
    }

    pub(crate) async fn write(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.with(method, path, &[("content-type", "application/json")], body).await
    }

    pub(crate) async fn track(&self, report: &Value) -> Answer {
        self.write("POST", "/track", report).await
    }

    pub(crate) async fn track_with_key(&self, key: &str, report: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.with("POST", "/track", &headers, report.to_string()).await
    }

    /// Sends a report that is taken, and returns its id.
    pub(crate) async fn taken(&self, report: &Value) -> u64 {
        let answer = self.track(report).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": "ok"})));
        self.get("/api/status").await["lastId"].as_u64().unwrap()
    }
}

/// A report of a chat within the contract.
pub(crate) fn chat(session: &str, messages: Value, answer: &str) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    json!({
        "reconify": {"format": "openai", "type": "chat", "version": "1.0.0", "appKey": "app-key-of-test", "apiKey": "api-key-of-test"},
        "timestamps": {"request": now - 1000, "response": now},
        "session": session, "sessionTimeout": 15, "user": {"userId": "bob", "email": "bob@example.org", "isAuthenticated": 1},
        "request": {"model": "gpt-4o", "messages": messages},
        "response": {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        }
    })
}

pub(crate) fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

pub(crate) fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

pub(crate) fn ids(list: &Value) -> Vec<u64> {
    list["reports"].as_array().unwrap().iter().map(|report| report["id"].as_u64().unwrap()).collect()
}
