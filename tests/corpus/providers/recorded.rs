//! The recorded exchanges of the providers other than OpenAI.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::Response;
use serde_json::Value;

use crate::corrections::number;

pub(crate) struct ProviderExchange {
    pub(crate) name: String,
    folder: PathBuf,
    meta: Value,
    pub(crate) request: Bytes,
    /// As it crossed the wire.
    pub(crate) response: Bytes,
}

/// Paths that only the layer knows. The gateway has a base URL for such a server instead.
const SERVED_ELSEWHERE: [(&str, &str); 2] =
    [("/api/v1/messages", "/v1/messages"), ("/router/v2/anthropic/v1/messages", "/v1/messages")];

impl ProviderExchange {
    fn read(folder: PathBuf) -> Option<Self> {
        let meta = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).ok()?).unwrap();
        let file = |names: &[&str]| names.iter().find_map(|name| std::fs::read(folder.join(name)).ok());
        // Of some only the response was recorded.
        let request = file(&["request.json", "request.body"]).unwrap_or_else(|| b"{}".to_vec()).into();
        let response = file(&["response.raw", "response.body"]).unwrap().into();
        let name = folder.file_name()?.to_str()?.to_owned();
        Some(Self { name, folder, meta, request, response })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.meta[name].as_str()
    }

    pub(crate) fn number(&self) -> &str {
        number(&self.name)
    }

    pub(crate) fn provider(&self) -> &str {
        self.text("provider").unwrap()
    }

    pub(crate) fn framing(&self) -> &str {
        self.text("framing").unwrap()
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.framing() != "json"
    }

    pub(crate) fn status(&self) -> u16 {
        self.meta["status"].as_u64().map_or(200, |status| status.try_into().unwrap())
    }

    pub(crate) fn request_type(&self) -> &str {
        self.text("request_content_type").unwrap_or("application/json")
    }

    /// The path at the provider, with the query.
    pub(crate) fn path(&self) -> String {
        let kind = self.text("kind").unwrap();
        let default = match self.provider() {
            "anthropic" => "/v1/messages",
            "bedrock" => "/model/vendor.unknown/converse",
            "gemini" => match kind {
                "interactions" => "/v1beta/interactions",
                "generateContent" => "/v1beta/models/unknown:generateContent",
                _ => "/v1beta/models/unknown:streamGenerateContent?alt=sse",
            },
            "perplexity" => "/chat/completions",
            _ => "/v1/chat/completions",
        };
        // The place of a value that was removed is no character of a path.
        self.text("path").unwrap_or(default).replace(['<', '>'], "")
    }

    /// The path at the gateway, and the one that its upstream sees.
    pub(crate) fn path_at_gateway(&self) -> (String, String) {
        let path = self.path();
        let served = SERVED_ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == path);
        let path = served.map_or(path, |(_, path)| (*path).to_owned());
        match self.provider() {
            provider @ ("mistral" | "perplexity" | "ollama") => (format!("/{provider}{path}"), path),
            _ => (path.clone(), path),
        }
    }

    /// The whole address at the provider.
    pub(crate) fn address(&self) -> String {
        let default = match self.provider() {
            "anthropic" => "api.anthropic.com",
            "mistral" => "api.mistral.ai",
            "perplexity" => "api.perplexity.ai",
            _ => "localhost",
        };
        format!("http://{}{}", self.text("host").unwrap_or(default), self.path())
    }

    /// The name of the model in the path.
    pub(crate) fn model_in_path(&self) -> &str {
        self.text("model_in_path").unwrap_or(if self.provider() == "bedrock" {
            "vendor.unknown"
        } else {
            "unknown"
        })
    }

    pub(crate) fn accept(&self) -> &str {
        match self.framing() {
            "eventstream" => "application/vnd.amazon.eventstream",
            _ => "application/json",
        }
    }

    /// The recorded header with the id of the request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        ["request-id", "x-amzn-requestid"]
            .iter()
            .find_map(|name| self.meta["response_headers"][name].as_str())
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        self.text("content_type")
    }

    pub(crate) fn coding(&self) -> Option<&str> {
        self.text("raw_encoding").filter(|_| self.folder.join("response.raw").exists())
    }

    pub(crate) fn answer(&self) -> Response {
        let mut response = Response::builder().status(self.status());
        for (name, value) in self.meta["response_headers"].as_object().unwrap() {
            if name != "content-encoding" {
                response = response.header(name, value.as_str().unwrap());
            }
        }
        if let Some(content_type) = self.content_type() {
            response = response.header(CONTENT_TYPE, content_type);
        }
        if let Some(coding) = self.coding() {
            response = response.header(CONTENT_ENCODING, coding);
        }
        // In pieces of a size that cuts lines, frames, events and characters.
        let pieces: Vec<_> = self
            .response
            .chunks(61)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
            .collect();
        response.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap()
    }

    /// The answer without its coding.
    pub(crate) fn plain(&self) -> String {
        std::fs::read_to_string(self.folder.join("response.body")).unwrap()
    }

    /// The object that its stream adds up to, if one was recorded.
    pub(crate) fn oracle(&self) -> Option<Value> {
        let files = ["merge.json", "oracle.json"].map(|name| self.folder.join(name));
        let file = files.iter().find(|file| file.exists())?;
        Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
    }

    /// The format and the version that it is reported with.
    pub(crate) fn format(&self) -> (&'static str, &'static str) {
        match self.provider() {
            "anthropic" | "anthropic-compatible" | "vertex-anthropic" => ("anthropic", "3.0.0"),
            "gemini" | "vertex-gemini" => ("gemini", "2.2.0"),
            "bedrock" => ("bedrock", "1.0.0"),
            "cohere" => ("cohere", "2.1.0"),
            "mistral" => ("mistral", "2.4.0"),
            "perplexity" => ("perplexity", "2.4.0"),
            "ollama" => ("universal", "3.1.0"),
            other => panic!("{}: {other}", self.name),
        }
    }

    /// The type that it is reported with, if it is captured.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        Some(match self.text("kind").unwrap() {
            // A later API of Gemini, which is not captured.
            "interactions" => return None,
            "complete" => "completion",
            "v1.generate" => "generate",
            _ if self.format().0 == "gemini" => match self.turns() {
                ..=1 => "generate",
                _ => "chat",
            },
            _ => "chat",
        })
    }

    fn turns(&self) -> usize {
        let request: Value = serde_json::from_slice(&self.request).unwrap();
        request["contents"].as_array().map_or(0, Vec::len)
    }
}

/// All exchanges, by name.
pub(crate) fn read() -> Arc<BTreeMap<String, ProviderExchange>> {
    let corpus = std::env::var("RECONIFY_PROVIDERS_CORPUS").expect("RECONIFY_PROVIDERS_CORPUS is set");
    let folders = std::fs::read_dir(Path::new(&corpus)).unwrap().map(|entry| entry.unwrap().path());
    let exchanges = folders.filter_map(ProviderExchange::read);
    let exchanges: BTreeMap<_, _> = exchanges.map(|exchange| (exchange.name.clone(), exchange)).collect();
    assert!(exchanges.len() >= 350, "{} are not enough", exchanges.len());
    Arc::new(exchanges)
}

/// The exchanges to replay: all, or those with `RECONIFY_ONLY` in their names.
pub(crate) fn chosen(exchanges: &BTreeMap<String, ProviderExchange>) -> Vec<&ProviderExchange> {
    let only = std::env::var("RECONIFY_ONLY").unwrap_or_default();
    exchanges.values().filter(|exchange| exchange.name.contains(&only)).collect()
}

/// Those of them that are reported and streamed.
pub(crate) fn chosen_streams(exchanges: &BTreeMap<String, ProviderExchange>) -> Vec<&ProviderExchange> {
    let chosen = chosen(exchanges).into_iter();
    chosen.filter(|exchange| exchange.is_stream() && exchange.kind().is_some()).collect()
}
