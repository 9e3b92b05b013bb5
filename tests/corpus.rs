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
        let default = json!({"model": "unknown", "messages": [], "prompt": "", "stream": meta["stream"]});
        let request =
            ["request.json", "request.body"].iter().find_map(|name| std::fs::read(folder.join(name)).ok());
        let request = request.unwrap_or_else(|| default.to_string().into());
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

    /// The answer without its coding.
    fn plain(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("response.body")).unwrap()
    }

    /// The type that it is reported with, if it is one that is captured.
    fn kind(&self) -> Option<&'static str> {
        Some(match self.meta["kind"].as_str()? {
            "chat" | "responses" => "chat",
            "completions" => "completion",
            "images.generations" | "images.edits" | "images.variations" => "image",
            "embeddings" => "embedding",
            "moderations" => "moderation",
            "audio.speech" => "speech",
            "audio.transcriptions" => "transcription",
            "audio.translations" => "translation",
            _ => return None,
        })
    }

    /// What is uploaded for the images that it was answered with as data.
    fn images(&self) -> Vec<Value> {
        if self.meta["status"] != 200 {
            return Vec::new();
        }
        let answer = self.try_expected().unwrap_or_default();
        let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
        let elements = list("data").into_iter().filter(|element| element["b64_json"].is_string());
        let results = list("output").into_iter().filter(|item| item["type"] == "image_generation_call");
        let results = results.filter(|item| item["result"].is_string());
        elements.chain(results.map(|item| json!({"b64_json": item["result"]}))).collect()
    }

    /// The answer as a JSON text, or the object that a stream must add up to.
    fn expected(&self) -> Value {
        self.try_expected().unwrap()
    }

    fn try_expected(&self) -> Option<Value> {
        let files = ["merge.json", "oracle.json", "response.body"].map(|name| self.folder.join(name));
        serde_json::from_slice(&std::fs::read(files.iter().find(|file| file.exists())?).ok()?).ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_CORPUS names their folder"]
async fn recorded_exchanges_pass_unchanged_and_are_reported_as_they_were() {
    let corpus = std::env::var("RECONIFY_CORPUS").expect("RECONIFY_CORPUS is set");
    let exchanges = read(Path::new(&corpus));
    let served = Arc::clone(&exchanges);
    let upstream =
        Upstream::start(move |request, _| served[request.headers["x-replay"].to_str().unwrap()].answer())
            .await;
    let mut collector = Collector::start().await;
    let gateway =
        Gateway::between_with(upstream.address, collector.address, &[("RECONIFY_CAPTURE", "all")]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let (mut compared, mut withheld, mut passed) = (0, 0, 0);
    let mut failures = Vec::new();
    for exchange in exchanges.values() {
        let method = exchange.meta["method"].as_str().unwrap_or("POST").parse().unwrap();
        let request = client
            .request(method, gateway.url(&exchange.path()))
            .header("x-replay", &exchange.name)
            .header("x-user-id", &exchange.name)
            .header(
                "content-type",
                exchange.meta["request_content_type"].as_str().unwrap_or("application/json"),
            )
            .body(exchange.request.clone());
        let response = request.send().await.unwrap();
        assert_eq!(u64::from(response.status().as_u16()), exchange.meta["status"], "{}", exchange.name);
        let is_success = response.status().is_success();
        assert_eq!(response.bytes().await.unwrap(), exchange.response, "{}", exchange.name);
        let sent = upstream.requests.lock().unwrap().pop().unwrap();
        assert_eq!(sent.1, exchange.request, "{}", exchange.name);
        assert!(!sent.0.headers.contains_key("x-user-id"));
        if exchange.kind().is_none() {
            passed += 1;
            continue;
        }
        if !is_success {
            withheld += 1;
            continue;
        }
        let (_, report) = collector.post().await;
        if let Err(difference) = compare(exchange, &report) {
            failures.push(format!("{}: {difference}", exchange.name));
        }
        for element in exchange.images() {
            let upload: Value = serde_json::from_str(&collector.post().await.1).unwrap();
            assert_eq!(upload["reconify"]["type"], "image-upload", "{}", exchange.name);
            assert_eq!(upload["upload"]["data"], element, "{}", exchange.name);
        }
        compared += 1;
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    println!(
        "{compared} recorded exchanges reported as expected, {withheld} refusals withheld, {passed} others passed through"
    );
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
    if exchange.meta["kind"] == "responses" {
        return compare_translated(exchange, &whole);
    }
    let kind = exchange.kind().unwrap();
    if whole["reconify"]["type"] != kind || whole["user"]["userId"] != exchange.name {
        return Err(format!("type {} of user {}", whole["reconify"]["type"], whole["user"]));
    }
    let Ok(request) = str::from_utf8(&exchange.request) else {
        // A form: its files by name, type and size.
        let form = &whole["request"];
        let file = form.get("image").or(form.get("file")).unwrap_or(&Value::Null);
        if !file["filename"].is_string() || file["bytes"].as_u64() < Some(100) {
            return Err(format!("the form {form}"));
        }
        return if kind == "image" {
            compare_images(exchange, &whole)
        } else {
            compare_opaque(exchange, &whole)
        };
    };
    if field(report, "request") != request.trim() {
        return Err("the request differs".to_owned());
    }
    if exchange.meta["oracle"].is_null() && serde_json::from_slice::<Value>(&exchange.plain()).is_err() {
        return compare_opaque(exchange, &whole);
    }
    if kind == "image" {
        return compare_images(exchange, &whole);
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

/// What is no JSON must be told by type and length; of a stream, the text must be there.
fn compare_opaque(exchange: &Recorded, report: &Value) -> Result<(), String> {
    let response = &report["response"];
    let is_told = match serde_json::from_slice::<Value>(&exchange.plain()) {
        Ok(json) => *response == json,
        Err(_) => response["bytes"] == exchange.response.len() || response["text"].is_string(),
    };
    if is_told { Ok(()) } else { Err(format!("{response}")) }
}

/// Image data must have left a name, and everything else must be as it was.
fn compare_images(exchange: &Recorded, report: &Value) -> Result<(), String> {
    let mut expected = exchange.expected();
    for (index, element) in expected["data"].as_array_mut().into_iter().flatten().enumerate() {
        if element["b64_json"].is_string() {
            *element = report["response"]["data"][index].clone();
            assert!(element.as_str().unwrap().ends_with(&format!("-{index}.png")));
        }
    }
    if expected == report["response"] { Ok(()) } else { Err(format!("images {}", report["response"])) }
}

/// What waits for the client in the recorded answers, besides calls of functions and custom tools.
const RUN_BY_THE_CLIENT: [&str; 3] = ["local_shell_call", "apply_patch_call", "mcp_approval_request"];

/// A translated answer must have every text, tool call, usage and finish of the one it was made from.
fn compare_translated(exchange: &Recorded, report: &Value) -> Result<(), String> {
    let request: Value = serde_json::from_slice(&exchange.request).unwrap();
    let (asked, answered) = (&report["request"], &report["response"]);
    let messages = asked["messages"].as_array().ok_or("no messages")?;
    let said = texts(&request["input"]) + &texts(&request["instructions"]);
    let told: String = messages.iter().map(|message| texts(&message["content"])).collect();
    if sorted(&said) != sorted(&told) {
        return Err(format!("messages\n  expected {said}\n  reported {told}"));
    }
    let expected = exchange.expected();
    let output = expected["output"].as_array().cloned().unwrap_or_default();
    let of_type = |kinds: &[&str]| -> Vec<Value> {
        output
            .iter()
            .filter(|item| kinds.contains(&item["type"].as_str().unwrap_or("message")))
            .cloned()
            .collect()
    };
    let parts = |kind: &str, key: &str| -> String {
        let messages = of_type(&["message"]);
        let parts = messages.iter().flat_map(|item| item["content"].as_array().cloned().unwrap_or_default());
        parts
            .filter(|part| part["type"] == kind)
            .map(|part| part[key].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let calls: Vec<Value> = of_type(&["function_call", "custom_tool_call"])
        .iter()
        .map(|call| {
            json!([
                call["call_id"],
                call["name"],
                if call["arguments"].is_null() { &call["input"] } else { &call["arguments"] }
            ])
        })
        .collect();
    let status = expected["status"].as_str();
    let finish = match status {
        Some("completed") if !calls.is_empty() || !of_type(&RUN_BY_THE_CLIENT).is_empty() => {
            json!("tool_calls")
        }
        Some("completed") => json!("stop"),
        Some("incomplete") if expected["incomplete_details"]["reason"] == "max_output_tokens" => {
            json!("length")
        }
        Some("incomplete") => expected["incomplete_details"]["reason"].clone(),
        _ => Value::Null,
    };
    let choice = &answered["choices"][0];
    let message = &choice["message"];
    let reported: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|call| {
            let inside = call.get("function").or(call.get("custom"))?;
            Some(json!([call["id"], inside["name"], inside.get("arguments").or(inside.get("input"))]))
        })
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (what, expected, reported) in [
        ("text", json!(parts("output_text", "text")), json!(text(&message["content"]))),
        ("refusal", json!(parts("refusal", "refusal")), json!(text(&message["refusal"]))),
        ("tool calls", json!(calls), json!(reported)),
        ("finish", finish, choice["finish_reason"].clone()),
        (
            "input tokens",
            expected["usage"]["input_tokens"].clone(),
            answered["usage"]["prompt_tokens"].clone(),
        ),
        (
            "output tokens",
            expected["usage"]["output_tokens"].clone(),
            answered["usage"]["completion_tokens"].clone(),
        ),
        ("all tokens", expected["usage"]["total_tokens"].clone(), answered["usage"]["total_tokens"].clone()),
        ("id", expected["id"].clone(), answered["id"].clone()),
        ("error", expected["error"].clone(), answered["error"].clone()),
    ] {
        if expected != reported {
            return Err(format!("{what}\n  expected {expected}\n  reported {reported}"));
        }
    }
    Ok(())
}

/// All texts that a person or a tool said in an input.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(fields) => {
            ["text", "content", "output"].iter().filter_map(|key| fields.get(*key)).map(texts).collect()
        }
        _ => String::new(),
    }
}

fn sorted(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters
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
