//! Recorded exchanges, replayed through the gateway. They are not part of this repository: `RECONIFY_CORPUS` names
//! their folder, and `CONTRIBUTING.md` says what is in it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::Response;
use serde_json::{Map, Value, json};
use support::field;
use support::gateway::{Collector, Gateway, Upstream};

struct Recorded {
    name: String,
    folder: PathBuf,
    meta: Value,
    request: Bytes,
    response: Bytes,
}

impl Recorded {
    fn read(folder: PathBuf) -> Option<Self> {
        let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).ok()?).unwrap();
        matches!(meta["kind"].as_str(), Some("chat" | "completions")).then_some(())?;
        let default = json!({"model": "unknown", "messages": [], "prompt": "", "stream": meta["stream"]});
        let request =
            std::fs::read(folder.join("request.json")).unwrap_or_else(|_| default.to_string().into());
        let raw =
            std::fs::read(folder.join("response.raw")).ok().filter(|_| meta["raw_encoding"].is_string());
        let response = raw.unwrap_or_else(|| std::fs::read(folder.join("response.body")).unwrap());
        let name = folder.file_name()?.to_str()?.to_owned();
        Some(Self { name, folder, meta, request: request.into(), response: response.into() })
    }

    fn path(&self) -> String {
        let path = self.meta["endpoint"].as_str().unwrap();
        if path.starts_with("/v1/") { path.to_owned() } else { format!("/v1{path}") }
    }

    fn answer(&self) -> Response {
        let status = u16::try_from(self.meta["status"].as_u64().unwrap()).unwrap();
        let mut response = Response::builder().status(status);
        if let Some(content_type) = self.meta["content_type"].as_str() {
            response = response.header(CONTENT_TYPE, content_type);
        }
        if self.folder.join("response.raw").exists() {
            response = response.header(CONTENT_ENCODING, self.meta["raw_encoding"].as_str().unwrap());
        }
        // In pieces of a size that cuts lines, events and characters.
        let pieces: Vec<_> = self
            .response
            .chunks(61)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
            .collect();
        response.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap()
    }

    /// The answer as a JSON text, or the object that a stream must add up to.
    fn expected(&self) -> Value {
        let file = ["merge.json", "oracle.json", "response.body"]
            .iter()
            .map(|name| self.folder.join(name))
            .find(|file| file.exists())
            .unwrap();
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_CORPUS names their folder"]
async fn recorded_chats_and_completions_pass_unchanged_and_are_reported_as_they_were() {
    let corpus = std::env::var("RECONIFY_CORPUS").expect("RECONIFY_CORPUS is set");
    let exchanges = read(Path::new(&corpus));
    let served = Arc::clone(&exchanges);
    let upstream =
        Upstream::start(move |request, _| served[request.headers["x-replay"].to_str().unwrap()].answer())
            .await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let (mut compared, mut withheld) = (0, 0);
    let mut failures = Vec::new();
    for exchange in exchanges.values() {
        let request = client
            .post(gateway.url(&exchange.path()))
            .header("x-replay", &exchange.name)
            .header("x-user-id", &exchange.name)
            .header("content-type", "application/json")
            .body(exchange.request.clone());
        let response = request.send().await.unwrap();
        assert_eq!(u64::from(response.status().as_u16()), exchange.meta["status"], "{}", exchange.name);
        let is_success = response.status().is_success();
        assert_eq!(response.bytes().await.unwrap(), exchange.response, "{}", exchange.name);
        let sent = upstream.requests.lock().unwrap().pop().unwrap();
        assert_eq!(sent.1, exchange.request, "{}", exchange.name);
        assert!(!sent.0.headers.contains_key("x-user-id"));
        if !is_success {
            withheld += 1;
            continue;
        }
        let (_, report) = collector.post().await;
        if let Err(difference) = compare(exchange, &report) {
            failures.push(format!("{}: {difference}", exchange.name));
        }
        compared += 1;
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    println!("{compared} recorded exchanges reported as expected, {withheld} refusals withheld");
    assert!(compared >= 60, "{compared} is not enough");
    let (status, counts) = gateway.stop().await;
    assert!(status.success());
    assert!(counts.ends_with(&format!("{} captured = {compared} delivered + 0 rejected + 0 dropped + {withheld} withheld (Refused {withheld}) + 0 pending", compared + withheld)), "{counts}");
}

fn read(corpus: &Path) -> Arc<HashMap<String, Recorded>> {
    let folders = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let exchanges = folders.filter_map(Recorded::read).map(|exchange| (exchange.name.clone(), exchange));
    Arc::new(exchanges.collect())
}

fn compare(exchange: &Recorded, report: &str) -> Result<(), String> {
    let whole: Value = serde_json::from_str(report).unwrap();
    let kind = if exchange.meta["kind"] == "chat" { "chat" } else { "completion" };
    if whole["reconify"]["type"] != kind || whole["user"]["userId"] != exchange.name {
        return Err(format!("type {} of user {}", whole["reconify"]["type"], whole["user"]));
    }
    let request = str::from_utf8(&exchange.request).unwrap();
    if field(report, "request") != request.trim() {
        return Err("the request differs".to_owned());
    }
    if exchange.meta["stream"] != true {
        let body = std::fs::read_to_string(exchange.folder.join("response.body")).unwrap();
        return if field(report, "response") == body.trim() {
            Ok(())
        } else {
            Err("the response differs".to_owned())
        };
    }
    let (mut expected, reported) = (normal(&exchange.expected()), normal(&whole["response"]));
    correct(exchange, &mut expected);
    if expected == reported { Ok(()) } else { Err(format!("\n  expected {expected}\n  reported {reported}")) }
}

/// What two expectations have wrong, seen by reading the streams.
fn correct(exchange: &Recorded, expected: &mut Value) {
    let choice = &mut expected["choices"][0];
    if exchange.name.starts_with("204-chat-stream-githubcopilotc") {
        // Two calls, with ids and names of their own, came under one index; the expectation fuses their arguments
        // into a text that is no JSON.
        let fused = choice["message"]["tool_calls"][0].clone();
        let arguments =
            fused["function"]["arguments"].as_str().unwrap().split_inclusive("\"}").collect::<Vec<_>>();
        let ids = ["tooluse_448k6WHnTpS28K0Bd1bhgA", "tooluse_2SRF2HShTXOoLdGrjWuGiw"];
        assert_eq!(arguments.len(), ids.len());
        choice["message"]["tool_calls"] = ids.iter().zip(arguments).map(|(id, arguments)| {
            json!({"id": id, "type": "function", "function": {"name": "edit_file", "arguments": arguments}})
        }).collect();
    }
    if exchange.name.starts_with("264-completions-stream-mistralai") {
        // An agent's route streams a chat; the expectation looks for a text only, and loses the answer.
        choice["message"] = json!({"role": "assistant", "content": "Understood."});
        expected["object"] = "chat.completion".into();
    }
}

/// Without what the expectations and the wire may differ in: null, absent and empty lists are the same, and three
/// fields exist only in the SDK that the expectations were made with.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let is_call = fields.contains_key("function") || fields.contains_key("custom");
            let fields = fields.iter().filter(|(key, value)| {
                let is_artefact =
                    matches!(key.as_str(), "parsed" | "parsed_arguments") || is_call && *key == "index";
                !is_artefact && !value.is_null() && **value != json!([])
            });
            Value::Object(fields.map(|(key, value)| (key.clone(), normal(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
