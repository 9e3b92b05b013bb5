//! Three interactions of two users, one with each simulated provider, so that reports are seen to arrive.

use std::net::SocketAddr;

use serde_json::{Value, json};

pub(crate) async fn send(gateway: SocketAddr) {
    let chat = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]});
    let streamed = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "stream": true,
        "messages": [{"role": "user", "content": "And one about dogs, please"}],
    });
    let generated = json!({"contents": [{"role": "user", "parts": [{"text": "Say this is a test"}]}]});
    println!("sending three sample interactions of two users");
    post(gateway, "alice", "/v1/chat/completions", &chat).await;
    post(gateway, "alice", "/v1/messages", &streamed).await;
    post(gateway, "bob", "/v1beta/models/gemini-2.5-flash:generateContent", &generated).await;
    println!(
        "try it:\n  curl http://{gateway}/v1/chat/completions -H 'authorization: Bearer sk-demo' -H 'content-type: application/json' \\"
    );
    println!("    -H 'x-user-id: carol' -H 'x-session-id: carol-1' -d '{chat}'");
}

async fn post(gateway: SocketAddr, user: &str, path: &str, body: &Value) {
    let sent = async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        client
            .post(format!("http://{gateway}{path}"))
            // OpenAI's key, and what Anthropic wants instead.
            .header("authorization", "Bearer sk-demo")
            .header("x-api-key", "sk-demo")
            .header("anthropic-version", "2023-06-01")
            .header("content-type", "application/json")
            .header("x-user-id", user)
            .header("x-session-id", format!("{user}-1"))
            .body(body.to_string())
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await
    };
    if let Err(error) = sent.await {
        println!("a sample interaction failed: {error}");
    }
}
