//! rig with a reported HTTP client, as in the README.

use reqwest_middleware::ClientBuilder;
use rig_core::providers::openai::{OpenAI, OpenAIConfig};
use rig_reqwest::ReqwestMiddlewareClient;
use tower_reconify::ReconifyLayer;

/// A client of rig whose calls are reported.
pub fn openai(config: OpenAIConfig, http: reqwest::Client, reconify: &ReconifyLayer) -> OpenAI {
    let client = ClientBuilder::new(http).with(reconify.clone()).build();
    config.connect(ReqwestMiddlewareClient::from(client))
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, routing::post};
    use rig_core::completion::CompletionRequest;
    use rig_core::providers::openai::OpenAIConfig;
    use serde_json::json;
    use tokio::net::TcpListener;
    use tower_reconify::{Identity, Session, User, testing};

    #[tokio::test]
    async fn a_call_of_rig_is_reported_with_the_user_of_its_scope() {
        let answer = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
            "choices": [{
                "index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Meow."}
            }],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        });
        let app = Router::new().route("/v1/chat/completions", post(async move || Json(answer.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });

        let (reconify, mut recorded) = testing::recording();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let openai = super::openai(OpenAIConfig::new("sk-test").with_base_url(base), http, &reconify);
        let identity = Identity::from((User::new("alice"), Session::new("alice-1")));
        let call = openai.chat("gpt-4o").call(CompletionRequest::new("Tell a cat joke"));
        assert_eq!(identity.scope(call).await.unwrap().text(), "Meow.");

        let report = recorded.next().await.unwrap();
        assert_eq!(report.user_id(), Some("alice"));
        recorded.none().await.unwrap();
    }
}
