//! Three interactions of two users, so that reports are seen to arrive.

use std::net::SocketAddr;

use serde_json::{Value, json};

pub(crate) async fn send(gateway: SocketAddr) {
    let chat = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell a cat joke"}]});
    let streamed = json!({
        "model": "gpt-4o",
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "And one about dogs, please"}],
    });
    let completion =
        json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Say this is a test", "max_tokens": 16});
    println!("sending three sample interactions of two users");
    post(gateway, "alice", "alice-1", "chat/completions", &chat).await;
    post(gateway, "alice", "alice-1", "chat/completions", &streamed).await;
    post(gateway, "bob", "bob-1", "completions", &completion).await;
    println!(
        "try it:\n  curl http://{gateway}/v1/chat/completions -H 'authorization: Bearer sk-demo' -H 'content-type: application/json' \\"
    );
    println!("    -H 'x-user-id: carol' -H 'x-session-id: carol-1' -d '{chat}'");
}

async fn post(gateway: SocketAddr, user: &str, session: &str, path: &str, body: &Value) {
    let sent = async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        client
            .post(format!("http://{gateway}/v1/{path}"))
            .header("authorization", "Bearer sk-demo")
            .header("content-type", "application/json")
            .header("x-user-id", user)
            .header("x-session-id", session)
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
