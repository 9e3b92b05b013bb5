//! The program as its users run it, against a model and a collector of this test.

use std::convert::Infallible;
use std::process::Stdio;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;

const CHUNKS: [&str; 3] = [
    r#"{"id":"2","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"Wo"},"finish_reason":null}]}"#,
    r#"{"id":"2","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"of."},"finish_reason":"stop"}]}"#,
    "[DONE]",
];

async fn chat(Json(request): Json<Value>) -> Response {
    if request["stream"] == true {
        let events = CHUNKS.map(|data| Ok::<_, Infallible>(format!("data: {data}\n\n")));
        let body = Body::from_stream(futures_util::stream::iter(events));
        return ([(CONTENT_TYPE, "text/event-stream")], body).into_response();
    }
    let choice = json!({
        "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Meow."}
    });
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    Json(json!({
        "id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice], "usage": usage
    }))
    .into_response()
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    base
}

#[tokio::test]
async fn calls_and_streams_of_rig_are_reported_with_the_user_of_their_scope() {
    let (send, mut reports) = mpsc::unbounded_channel();
    let track = post(async move |Json(report): Json<Value>| drop(send.send(report)));
    let collector = serve(Router::new().route("/track", track)).await;
    let openai = serve(Router::new().route("/v1/chat/completions", post(chat))).await;

    let mut program = Command::new(env!("CARGO_BIN_EXE_rig-client"));
    program.env("OPENAI_API_KEY", "sk-test").env("OPENAI_BASE_URL", format!("{openai}/v1"));
    program.env("RECONIFY_APP_KEY", "app").env("RECONIFY_API_KEY", "api").env("NO_PROXY", "127.0.0.1");
    program.env("RECONIFY_ENDPOINT", format!("{collector}/track"));
    let output = program.stderr(Stdio::inherit()).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Meow.\nWoof.\n");

    for answer in ["Meow.", "Woof."] {
        let report = reports.recv().await.unwrap();
        assert_eq!(report["user"]["userId"], "alice", "{report}");
        assert_eq!(report["session"], "alice-1", "{report}");
        assert_eq!(report["response"]["choices"][0]["message"]["content"], answer, "{report}");
    }
}
