//! The APIs that the gateway can forward to, and the paths that belong to each.

use axum::http::Method;
use tower_reconify::Provider;

/// The API of a provider.
pub(crate) struct Api {
    pub(crate) provider: Provider,
    pub(crate) name: &'static str,
    /// The variable with its base URL.
    pub(crate) variable: &'static str,
    /// A value of that variable.
    pub(crate) example: &'static str,
    /// The beginning of its paths that is not forwarded.
    pub(crate) removed: &'static str,
    /// Whether a request is one to this API.
    pub(crate) owns: fn(&Method, &str) -> bool,
}

/// OpenAI is the last: it gets the paths under `/v1/` that no other API has.
pub(crate) const APIS: [Api; 8] = [
    Api {
        provider: Provider::Anthropic,
        name: "Anthropic",
        variable: "ANTHROPIC_BASE_URL",
        example: "https://api.anthropic.com",
        removed: "",
        owns: |_, path| matches!(path, "/v1/messages" | "/v1/complete") || path.starts_with("/v1/messages/"),
    },
    Api {
        provider: Provider::Gemini,
        name: "Gemini",
        variable: "GEMINI_BASE_URL",
        example: "https://generativelanguage.googleapis.com",
        removed: "",
        owns: is_gemini,
    },
    Api {
        provider: Provider::Bedrock,
        name: "Bedrock",
        variable: "BEDROCK_BASE_URL",
        example: "https://bedrock-runtime.us-east-1.amazonaws.com",
        removed: "",
        owns: |_, path| path.starts_with("/model/"),
    },
    Api {
        provider: Provider::Cohere,
        name: "Cohere",
        variable: "COHERE_BASE_URL",
        example: "https://api.cohere.com",
        removed: "",
        owns: |_, path| matches!(path, "/v1/chat" | "/v1/generate" | "/v2/chat"),
    },
    Api {
        provider: Provider::Mistral,
        name: "Mistral",
        variable: "MISTRAL_BASE_URL",
        example: "https://api.mistral.ai",
        removed: "/mistral",
        owns: |_, path| path.starts_with("/mistral/"),
    },
    Api {
        provider: Provider::Perplexity,
        name: "Perplexity",
        variable: "PERPLEXITY_BASE_URL",
        example: "https://api.perplexity.ai",
        removed: "/perplexity",
        owns: |_, path| path.starts_with("/perplexity/"),
    },
    Api {
        provider: Provider::Ollama,
        name: "Ollama",
        variable: "OLLAMA_BASE_URL",
        example: "http://127.0.0.1:11434",
        removed: "/ollama",
        owns: |_, path| path.starts_with("/ollama/"),
    },
    Api {
        provider: Provider::OpenAi,
        name: "OpenAI",
        variable: "OPENAI_BASE_URL",
        example: "https://api.openai.com/v1",
        removed: "/v1",
        owns: |_, path| path.starts_with("/v1/"),
    },
];

/// Whether a request is one to Gemini or Vertex. OpenAI has `/v1/models/…` too, without a method behind a colon.
fn is_gemini(method: &Method, path: &str) -> bool {
    let segments: Vec<_> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["v1beta" | "v1alpha", _, ..] => true,
        [version, "projects" | "publishers", _, ..] => version.starts_with("v1"),
        ["v1", "models", model] => {
            let (_, called) = model.split_once(':').unwrap_or_default();
            *method == Method::POST
                && matches!(called, "generateContent" | "streamGenerateContent" | "countTokens")
        }
        _ => false,
    }
}
