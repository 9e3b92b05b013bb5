//! Which requests are captured: an application's own routes are never reported by accident.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use tower_reconify::{Config, Operation, Provider};

use super::samples::{SAMPLES, Sample};
use crate::support::{self, Observed, exchange, observed, observed_with};

fn to(url: &str, sample: &Sample) -> Request<Body> {
    Request::post(url).header(CONTENT_TYPE, "application/json").body(sample.request.into()).unwrap()
}

/// The format in which a request is reported, if it is.
async fn format_of(observed: &mut Observed, request: Request<Body>, sample: &Sample) -> Option<String> {
    exchange(observed, request, support::json(sample.response)).await;
    let (reports, stats) = observed.settle().await;
    assert_eq!(reports.is_empty(), stats.captured == 0, "{:?}", sample.operation);
    reports.first().map(|report| report["reconify"]["format"].as_str().unwrap().to_owned())
}

/// The hosts of a provider.
fn hosts(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Anthropic => &["api.anthropic.com"],
        Provider::Gemini => &["generativelanguage.googleapis.com"],
        Provider::Cohere => &["api.cohere.com", "api.cohere.ai"],
        Provider::Mistral => &["api.mistral.ai", "codestral.mistral.ai"],
        Provider::Perplexity => &["api.perplexity.ai"],
        Provider::Ollama => &["ollama.com", "localhost:11434", "127.0.0.1:11434"],
        _ => &[],
    }
}

#[tokio::test]
async fn by_default_a_path_that_applications_use_themselves_is_not_captured() {
    for sample in SAMPLES {
        let is_proof = matches!(sample.provider(), Provider::Gemini | Provider::Bedrock)
            || sample.operation == Operation::AnthropicVertex;
        let expected = match sample.provider() {
            // OpenAI's path.
            Provider::Mistral | Provider::Perplexity => Some("openai"),
            _ => is_proof.then_some(sample.report[0]),
        };
        let format = format_of(&mut observed(), to(sample.path, sample), sample).await;
        assert_eq!(format.as_deref(), expected, "{:?}", sample.operation);
        let url = format!("http://app.example:8080/v1/own{}", sample.path);
        let format = format_of(&mut observed(), to(&url, sample), sample).await;
        if expected.is_none() {
            assert_eq!(format, None, "{:?} at {url}", sample.operation);
        }
    }
}

#[tokio::test]
async fn on_its_own_host_every_operation_is_captured_in_its_format() {
    for sample in SAMPLES {
        for host in hosts(sample.provider()) {
            let url = format!("http://{host}{}", sample.path);
            let format = format_of(&mut observed(), to(&url, sample), sample).await;
            assert_eq!(format.as_deref(), Some(sample.report[0]), "{:?} at {url}", sample.operation);
        }
    }
}

#[tokio::test]
async fn a_host_that_only_resembles_a_providers_proves_nothing() {
    for sample in SAMPLES.iter().filter(|sample| sample.provider() == Provider::Cohere) {
        for host in
            ["api.cohere.com.evil.example", "xapi.cohere.com", "cohere.com", "api.cohere.com@evil.example"]
        {
            let url = format!("http://{host}{}", sample.path);
            let format = format_of(&mut observed(), to(&url, sample), sample).await;
            assert_eq!(format, None, "{url}");
        }
        let mut request = to(sample.path, sample);
        request.headers_mut().insert("host", "api.cohere.com".parse().unwrap());
        assert_eq!(format_of(&mut observed(), request, sample).await, None, "the Host header");
    }
}

#[tokio::test]
async fn the_version_header_of_anthropic_proves_its_paths() {
    for sample in SAMPLES.iter().filter(|sample| sample.provider() == Provider::Anthropic) {
        let mut request = to(sample.path, sample);
        request.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());
        let format = format_of(&mut observed(), request, sample).await;
        assert_eq!(format.as_deref(), Some("anthropic"), "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn an_operation_that_is_asked_for_by_name_is_captured_under_any_host() {
    for sample in SAMPLES {
        let config = Config::builder("a", "b").capture([sample.operation]).build().unwrap();
        let url = format!("http://gateway.example{}", sample.path);
        let format = format_of(&mut observed_with(config), to(&url, sample), sample).await;
        assert_eq!(format.as_deref(), Some(sample.report[0]), "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn a_layer_for_a_provider_captures_its_operations_in_its_format_and_shares_the_reporter() {
    for sample in SAMPLES {
        let mut observed = observed();
        let shared = observed.layer.clone();
        observed.layer = shared.for_provider(sample.provider());
        let format = format_of(&mut observed, to(sample.path, sample), sample).await;
        assert_eq!(format.as_deref(), Some(sample.report[0]), "{:?}", sample.operation);
        assert_eq!(shared.reporter().stats().captured, 1);
    }
}

#[tokio::test]
async fn a_declared_route_takes_any_operation() {
    for sample in SAMPLES {
        let config = Config::builder("a", "b").route("/ask", sample.operation).build().unwrap();
        let format = format_of(&mut observed_with(config), to("/ask", sample), sample).await;
        assert_eq!(format.as_deref(), Some(sample.report[0]), "{:?}", sample.operation);
    }
}

#[tokio::test]
async fn a_request_that_is_no_interaction_passes_uncounted_even_if_everything_is_asked_for() {
    let config = Config::builder("a", "b").capture(Operation::ALL).build().unwrap();
    let observed = observed_with(config);
    for path in [
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/messages/batches/b1/cancel",
        "/v1/files",
        "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
        "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict",
        "/v1/projects/p/locations/l/publishers/meta/models/m:generateContent",
        "/v1beta/models/gemini-x:countTokens",
        "/v1beta/models/gemini-x:embedContent",
        "/v1beta/models/gemini-x:batchGenerateContent",
        "/v1beta/interactions",
        "/v1beta/files",
        "/model/anthropic.claude-x-v1:0/count-tokens",
        "/model/anthropic.claude-x-v1:0/invoke-with-bidirectional-stream",
        "/model/amazon.titan-embed-text-v2:0/invoke",
        "/model/us.cohere.embed-v4:0/invoke",
        "/model/cohere.rerank-v3-5:0/invoke",
        "/model/stability.sd3-large-v1:0/invoke",
        "/model/amazon.nova-canvas-v1:0/invoke",
        "/model/amazon.titan-image-generator-v2:0/invoke",
        "/guardrail/g1/version/1/apply",
        "/async-invoke",
        "/v1/fim/completions",
        "/v1/agents/completions",
        "/v1/conversations",
        "/v1/chat/completions/chatcmpl-1/messages",
        "/v2/embed",
        "/v2/rerank",
        "/api/embed",
        "/api/tags",
        "/my/api/chat/history",
    ] {
        exchange(&observed, support::post(path, "{}"), support::json("{}")).await;
        assert_eq!(observed.layer.reporter().stats().captured, 0, "{path}");
    }
}
