use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::Response;
use serde_json::{Value, json};

/// A recorded exchange.
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) meta: Value,
    pub(crate) request: Bytes,
    pub(crate) response: Bytes,
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

    pub(crate) fn path(&self) -> String {
        let path = self.meta["endpoint"].as_str().unwrap();
        if path.starts_with("/v1/") { path.to_owned() } else { format!("/v1{path}") }
    }

    pub(crate) fn answer(&self) -> Response {
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
    pub(crate) fn plain(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("response.body")).unwrap()
    }

    /// The type that it is reported with, if it is one that is captured.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        if !self.is_captured() {
            return None;
        }
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
    pub(crate) fn images(&self) -> Vec<Value> {
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
    pub(crate) fn expected(&self) -> Value {
        let mut expected = self.try_expected().unwrap();
        self.correct(&mut expected);
        expected
    }

    fn try_expected(&self) -> Option<Value> {
        let files = ["merge.json", "oracle.json", "response.body"].map(|name| self.folder.join(name));
        serde_json::from_slice(&std::fs::read(files.iter().find(|file| file.exists())?).ok()?).ok()
    }
}

/// All exchanges, by name.
pub(crate) fn read(corpus: &Path) -> Arc<HashMap<String, Recorded>> {
    let folders = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let exchanges = folders.filter_map(Recorded::read).map(|exchange| (exchange.name.clone(), exchange));
    Arc::new(exchanges.collect())
}
