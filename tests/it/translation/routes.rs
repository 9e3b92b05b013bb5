//! Promise 6 for paths: an application's own routes are not captured, and a nested router hides no chat.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::routing::post as to;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_reconify::{Config, Limits, Operation};

use crate::support::{self, ANSWER, CHAT, Observed, delta, events, exchange, observed_with, post};

fn observed() -> Observed {
    observed_with(Config::builder("a", "b").metadata(true).build().unwrap())
}

async fn call(app: Router, request: Request<Body>) {
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().collect().await.unwrap();
}

async fn answer(_: Bytes) -> axum::response::Response {
    support::json(ANSWER)
}

fn shown(report: &Value) -> (&Value, &Value) {
    (&report["reconify"]["type"], &report["metadata"]["endpoint"])
}

#[tokio::test]
async fn an_applications_own_responses_are_not_sent_to_anybody() {
    let mut observed = observed();
    let app = || {
        Router::new()
            .route("/surveys/{id}/responses", to(answer))
            .route("/agents/completions", to(answer))
            .layer(observed.layer.clone())
    };
    call(app(), post("/surveys/42/responses", r#"{"answer":"private"}"#)).await;
    call(app(), post("/agents/completions", "{}")).await;
    let (reports, stats) = observed.settle().await;
    assert!(reports.is_empty());
    assert_eq!(stats.captured, 0);
}

#[tokio::test]
async fn a_chat_in_a_nested_router_is_a_chat_by_its_body() {
    let mut observed = observed();
    let inner = Router::new().route("/completions", to(answer)).layer(observed.layer.clone());
    call(Router::new().nest("/v1/chat", inner), post("/v1/chat/completions", CHAT)).await;
    let report = observed.report().await;
    assert_eq!(shown(&report), (&json!("chat"), &json!("chat")));
    assert_eq!(report["request"], serde_json::from_str::<Value>(CHAT).unwrap());
}

#[tokio::test]
async fn a_route_below_a_nested_router_can_be_declared() {
    let config = Config::builder("a", "b").metadata(true).route("/completions", Operation::Chat);
    let mut observed = observed_with(config.build().unwrap());
    let inner = Router::new().route("/completions", to(answer)).layer(observed.layer.clone());
    call(Router::new().nest("/v1/chat", inner), post("/v1/chat/completions", "no JSON")).await;
    let report = observed.report().await;
    assert_eq!(shown(&report), (&json!("chat"), &json!("chat")));
    assert_eq!(report["request"]["messages"], json!([]));
}

#[tokio::test]
async fn a_layer_around_a_nested_router_sees_the_whole_path() {
    let mut observed = observed();
    for (prefix, route, path) in [
        ("/v1/chat/completions", "/", "/v1/chat/completions"),
        ("/v1/chat", "/completions", "/v1/chat/completions"),
        ("/surveys/42", "/responses", "/surveys/42/responses"),
    ] {
        let app = Router::new().nest(prefix, Router::new().route(route, to(answer)));
        call(app.layer(observed.layer.clone()), post(path, CHAT)).await;
    }
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.captured), (2, 2));
    assert!(reports.iter().all(|report| report["metadata"]["endpoint"] == "chat"));
}

#[tokio::test]
async fn a_completion_with_messages_and_no_prompt_is_a_chat_in_every_respect() {
    let mut observed = observed();
    for (request, kind) in [
        (r#"{"messages":[]}"#, "chat"),
        (r#"{"messages":[],"prompt":null}"#, "chat"),
        (r#"{"messages":[],"prompt":"x"}"#, "completion"),
        (r#"{"messages":null}"#, "completion"),
        (r#"{"prompt":"x"}"#, "completion"),
        (r#"{}"#, "completion"),
        (r#"[[],null]"#, "completion"),
    ] {
        exchange(&observed, post("/v1/completions", request), support::json("{}")).await;
        let report = observed.report().await;
        assert_eq!(shown(&report), (&json!(kind), &json!(kind)), "{request}");
    }
    let text = r#"{"choices":[{"index":0,"text":"x","delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    for (request, object) in [(CHAT, "chat.completion"), (r#"{"prompt":"x"}"#, "text_completion")] {
        exchange(&observed, post("/v1/completions", request), events(&[text, "[DONE]"])).await;
        assert_eq!(observed.report().await["response"]["object"], object);
    }
    let piece = delta(r#"{"content":"Hi"}"#);
    exchange(&observed, post("/v1/completions", CHAT), events(&[&piece, "[DONE]"])).await;
    let report = observed.report().await;
    assert_eq!(shown(&report), (&json!("chat"), &json!("chat")));
    let message = &report["response"]["choices"][0]["message"];
    assert_eq!(*message, json!({"role": "assistant", "content": "Hi"}));
}

#[tokio::test]
async fn a_chat_that_came_as_a_completion_keeps_the_placeholders_of_a_chat() {
    let mut observed = observed();
    let mut request = post("/v1/completions", CHAT);
    request.extensions_mut().insert(tower_reconify::OmitContent);
    exchange(&observed, request, support::json(ANSWER)).await;
    let report = observed.report().await;
    assert_eq!(report["request"]["messages"], json!([]));
    assert_eq!(report["request"].get("prompt"), None);
    assert_eq!(report["response"]["choices"], json!([]));
}

#[tokio::test]
async fn a_chat_in_a_nested_router_that_is_cut_keeps_its_complete_messages_and_gets_no_prompt() {
    let config =
        Config::builder("a", "b").metadata(true).limits(Limits { body_bytes: 10_000, ..Limits::default() });
    let mut observed = observed_with(config.build().unwrap());
    let whole = r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}"#;
    let body = format!(r#"{whole},{{"role":"user","content":"{}"}}]}}"#, "x".repeat(30_000));
    let inner = Router::new().route("/completions", to(answer)).layer(observed.layer.clone());
    call(Router::new().nest("/v1/chat", inner), post("/v1/chat/completions", body.clone())).await;
    let report = observed.report().await;
    assert_eq!(shown(&report), (&json!("chat"), &json!("chat")));
    let mut expected: Value = serde_json::from_str(&format!("{whole},{{\"role\":\"user\"}}]}}")).unwrap();
    expected["truncated"] = json!({"bytes": body.len(), "limit": 10_000});
    assert_eq!(report["request"], expected);
}

#[tokio::test]
async fn a_trailing_or_doubled_slash_hides_no_exchange() {
    let mut observed = observed();
    for path in ["/v1/chat/completions/", "/v1//chat//completions"] {
        exchange(&observed, post(path, CHAT), support::json(ANSWER)).await;
        assert_eq!(shown(&observed.report().await), (&json!("chat"), &json!("chat")), "{path}");
    }
}
