//! The example gateway as a process: which path goes to which provider.

use std::net::SocketAddr;

use axum::http::Method;
use serde_json::Value;

use crate::support::gateway::{API_KEY, APP_KEY, Collector, Gateway, Upstream};
use crate::support::json;

const VARIABLES: [&str; 8] = [
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "GEMINI_BASE_URL",
    "BEDROCK_BASE_URL",
    "COHERE_BASE_URL",
    "MISTRAL_BASE_URL",
    "PERPLEXITY_BASE_URL",
    "OLLAMA_BASE_URL",
];

/// A gateway with these base URLs. The path of each is its variable, so that the upstream sees which one was taken.
async fn gateway(variables: &[&'static str], upstream: SocketAddr, collector: SocketAddr) -> Gateway {
    let bases = variables.iter().map(|variable| (*variable, format!("http://{upstream}/{variable}/")));
    let collector = [
        ("RECONIFY_ENDPOINT", format!("http://{collector}/track")),
        ("RECONIFY_APP_KEY", APP_KEY.to_owned()),
        ("RECONIFY_API_KEY", API_KEY.to_owned()),
    ];
    Gateway::start(&bases.chain(collector).collect::<Vec<_>>()).await
}

async fn send(gateway: &Gateway, method: Method, path: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, gateway.url(path)).header("content-type", "application/json");
    let response = request.body("{}").send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

#[tokio::test]
async fn every_path_goes_to_the_base_url_of_its_provider_as_it_is_encoded() {
    let upstream = Upstream::start(|_, _| json("{}")).await;
    let collector = Collector::start().await;
    let gateway = gateway(&VARIABLES, upstream.address, collector.address).await;
    for (path, expected) in [
        ("/v1/chat/completions", "/OPENAI_BASE_URL/chat/completions"),
        ("/v1/completions", "/OPENAI_BASE_URL/completions"),
        ("/v1/models/gpt-4o", "/OPENAI_BASE_URL/models/gpt-4o"),
        ("/v1/models/m:tune", "/OPENAI_BASE_URL/models/m:tune"),
        ("/v1/messages-of-mine", "/OPENAI_BASE_URL/messages-of-mine"),
        ("/v1/messages?beta=true", "/ANTHROPIC_BASE_URL/v1/messages?beta=true"),
        ("/v1/messages/count_tokens", "/ANTHROPIC_BASE_URL/v1/messages/count_tokens"),
        ("/v1/complete", "/ANTHROPIC_BASE_URL/v1/complete"),
        ("/v1beta/models/m:generateContent", "/GEMINI_BASE_URL/v1beta/models/m:generateContent"),
        (
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            "/GEMINI_BASE_URL/v1beta/models/m:streamGenerateContent?alt=sse",
        ),
        (
            "/v1beta/interactions?$alt=json;enum-encoding%3Dint",
            "/GEMINI_BASE_URL/v1beta/interactions?$alt=json;enum-encoding%3Dint",
        ),
        ("/v1alpha/files/a%20b", "/GEMINI_BASE_URL/v1alpha/files/a%20b"),
        ("/v1/models/m:generateContent", "/GEMINI_BASE_URL/v1/models/m:generateContent"),
        ("/v1/models/m:streamGenerateContent", "/GEMINI_BASE_URL/v1/models/m:streamGenerateContent"),
        ("/v1/models/m:countTokens", "/GEMINI_BASE_URL/v1/models/m:countTokens"),
        ("/v1/projects/p/locations/l/x", "/GEMINI_BASE_URL/v1/projects/p/locations/l/x"),
        (
            "/v1beta1/publishers/google/models/m:generateContent",
            "/GEMINI_BASE_URL/v1beta1/publishers/google/models/m:generateContent",
        ),
        (
            "/model/us.anthropic.claude-v1%3A0/converse",
            "/BEDROCK_BASE_URL/model/us.anthropic.claude-v1%3A0/converse",
        ),
        (
            "/model/arn%3Aaws%3Abedrock%2Fa.b:0/invoke",
            "/BEDROCK_BASE_URL/model/arn%3Aaws%3Abedrock%2Fa.b:0/invoke",
        ),
        ("/v1/chat", "/COHERE_BASE_URL/v1/chat"),
        ("/v1/generate", "/COHERE_BASE_URL/v1/generate"),
        ("/v2/chat", "/COHERE_BASE_URL/v2/chat"),
        ("/mistral/v1/chat/completions", "/MISTRAL_BASE_URL/v1/chat/completions"),
        ("/perplexity/chat/completions", "/PERPLEXITY_BASE_URL/chat/completions"),
        ("/ollama/api/chat?a=%2F", "/OLLAMA_BASE_URL/api/chat?a=%2F"),
    ] {
        assert_eq!(send(&gateway, Method::POST, path).await.0, 200, "{path}");
        let (parts, _) = upstream.requests.lock().unwrap().pop().unwrap();
        assert_eq!(parts.uri.to_string(), expected);
    }
    // OpenAI describes a fine-tuned model under a path like the one to which Gemini's clients post.
    send(&gateway, Method::GET, "/v1/models/ft:generateContent").await;
    let (parts, _) = upstream.requests.lock().unwrap().pop().unwrap();
    assert_eq!(parts.uri, "/OPENAI_BASE_URL/models/ft:generateContent");
}

#[tokio::test]
async fn without_the_base_url_of_a_provider_openai_has_v1_and_other_paths_are_answered_404() {
    let upstream = Upstream::start(|_, _| json("{}")).await;
    let collector = Collector::start().await;
    let only_openai = gateway(&VARIABLES[..1], upstream.address, collector.address).await;
    for path in ["/v1/messages", "/v1/chat", "/v1/models/m:generateContent", "/v1/projects/p/x"] {
        assert_eq!(send(&only_openai, Method::POST, path).await.0, 200, "{path}");
        let (parts, _) = upstream.requests.lock().unwrap().pop().unwrap();
        assert_eq!(parts.uri.to_string(), path.replace("/v1", "/OPENAI_BASE_URL"));
    }
    let without_openai = gateway(&VARIABLES[1..2], upstream.address, collector.address).await;
    for (gateway, path, told) in [
        (&only_openai, "/v1beta/models/m:generateContent", "GEMINI_BASE_URL is not set"),
        (&only_openai, "/model/amazon.m/converse", "BEDROCK_BASE_URL is not set"),
        (&only_openai, "/v2/chat", "COHERE_BASE_URL is not set"),
        (&only_openai, "/mistral/v1/chat/completions", "MISTRAL_BASE_URL is not set"),
        (&only_openai, "/perplexity/chat/completions", "PERPLEXITY_BASE_URL is not set"),
        (&only_openai, "/ollama/api/chat", "set it to a URL like http://127.0.0.1:11434"),
        (&only_openai, "/elsewhere", "is a path of no provider"),
        (&without_openai, "/v1/chat/completions", "OPENAI_BASE_URL is not set"),
    ] {
        let (status, answer) = send(gateway, Method::POST, path).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 404 && message.contains(told), "{path}: {status} {message}");
    }
    assert!(upstream.requests.lock().unwrap().is_empty());
    // Nobody but Gemini has a path like that of its methods, so it counts wherever it goes.
    let (status, counts) = only_openai.stop().await;
    assert!(status.success() && counts.contains(" 1 captured = 1 delivered"), "{counts}");
}

#[tokio::test]
async fn what_goes_to_a_provider_is_reported_in_its_format_whatever_its_path() {
    let upstream = Upstream::start(|_, _| json(r#"{"answer":1}"#)).await;
    let mut collector = Collector::start().await;
    let gateway = gateway(&VARIABLES, upstream.address, collector.address).await;
    for (path, format) in [
        ("/v1/chat/completions", "openai"),
        ("/v1/messages", "anthropic"),
        ("/v1/models/m:generateContent", "gemini"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", "anthropic"),
        ("/model/amazon.m/converse", "bedrock"),
        ("/v2/chat", "cohere"),
        ("/mistral/v1/chat/completions", "mistral"),
        ("/perplexity/chat/completions", "perplexity"),
        ("/ollama/api/chat", "universal"),
    ] {
        send(&gateway, Method::POST, path).await;
        let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
        assert_eq!(report["reconify"]["format"], format, "{path}");
    }
    // These are no interactions, or belong to APIs that are not captured.
    for path in [
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1beta/models/m:countTokens",
        "/v1beta/models/m:embedContent",
        "/v1beta/interactions",
        "/v1/publishers/meta/models/m:rawPredict",
        "/model/m/count-tokens",
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
        "/model/stability.sd3-large-v1%3A0/invoke",
        "/mistral/v1/fim/completions",
        "/mistral/v1/embeddings",
        "/ollama/api/embed",
    ] {
        assert_eq!(send(&gateway, Method::POST, path).await.0, 200, "{path}");
    }
    let (_, counts) = gateway.stop().await;
    assert!(counts.contains("9 captured = 9 delivered"), "{counts}");
}
