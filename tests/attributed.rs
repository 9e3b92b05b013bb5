//! Promise 6: user and session belong to a request.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn};
use axum::routing::post;
use http_body_util::BodyExt;
use serde_json::json;
use support::{ANSWER, chat, exchange, observed, observed_with};
use tower::ServiceExt;
use tower_reconify::{Config, Endpoint, Session, User};

#[tokio::test]
async fn user_and_session_come_from_the_requests_extensions() {
    let mut observed = observed();
    let mut request = chat();
    request.extensions_mut().insert(User::new("u1").email("u1@example.com").authenticated(true));
    request.extensions_mut().insert(Session::new("s1").timeout(30));
    exchange(&observed, request, support::json(ANSWER)).await;
    let report = observed.report().await;
    assert_eq!(report["user"], json!({"userId": "u1", "isAuthenticated": 1, "email": "u1@example.com"}));
    assert_eq!((&report["session"], &report["sessionTimeout"]), (&json!("s1"), &json!(30)));
}

#[tokio::test]
async fn without_user_and_session_the_report_is_as_the_vendors_module_sends_it() {
    let mut observed = observed();
    exchange(&observed, chat(), support::json(ANSWER)).await;
    let report = observed.report().await;
    assert_eq!(
        (&report["user"], &report["session"], &report["sessionTimeout"]),
        (&json!({}), &json!(null), &json!(null))
    );
}

#[tokio::test]
async fn a_session_without_a_timeout_has_the_configured_one() {
    let mut observed = observed_with(Config::builder("a", "b").session_timeout(15).build().unwrap());
    let mut request = chat();
    request.extensions_mut().insert(Session::new("s1"));
    exchange(&observed, request, support::json(ANSWER)).await;
    assert_eq!(observed.report().await["sessionTimeout"], 15);
}

#[tokio::test]
async fn identity_headers_from_outside_mean_nothing() {
    let mut observed = observed();
    let mut request = chat();
    request.headers_mut().insert("x-reconify-user-id", "forged".parse().unwrap());
    exchange(&observed, request, support::json(ANSWER)).await;
    assert_eq!(observed.report().await["user"], json!({}));
}

#[tokio::test]
async fn a_route_of_another_name_can_be_declared() {
    let config = Config::builder("a", "b").route("/ask", Endpoint::Chat).build().unwrap();
    let mut observed = observed_with(config);
    exchange(&observed, support::post("/api/ask", support::CHAT), support::json(ANSWER)).await;
    assert_eq!(observed.report().await["reconify"]["type"], "chat");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_concurrent_requests_keep_their_users() {
    const REQUESTS: usize = 4_000;
    let mut observed = observed();
    let identify = from_fn(async |mut request: Request, next: Next| {
        let user = request.headers()["x-user"].to_str().unwrap().to_owned();
        request.extensions_mut().insert(User::new(&*user));
        request.extensions_mut().insert(Session::new(format!("session of {user}")));
        next.run(request).await
    });
    let answer = post(async |body: Bytes| {
        // Gives way, so that exchanges overlap in every order.
        for _ in 0..body.len() % 5 {
            tokio::task::yield_now().await;
        }
        ([(CONTENT_TYPE, "application/json")], body)
    });
    let app: Router =
        Router::new().route("/v1/completions", answer).layer(observed.layer.clone()).layer(identify);
    let requests = (0..REQUESTS).map(|i| {
        let app = app.clone();
        tokio::spawn(async move {
            let body = json!({"prompt": format!("{i:0width$}", width = i % 40)}).to_string();
            let request = Request::post("/v1/completions")
                .header("x-user", i.to_string())
                .body(Body::from(body))
                .unwrap();
            app.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap();
    }
    let (reports, stats) = observed.settle().await;
    assert_eq!((reports.len(), stats.delivered), (REQUESTS, REQUESTS as u64));
    for report in reports {
        let user = report["user"]["userId"].as_str().unwrap();
        assert_eq!(report["session"], format!("session of {user}"));
        assert_eq!(report["request"], report["response"]);
        assert_eq!(report["request"]["prompt"].as_str().unwrap().parse::<u32>().unwrap().to_string(), user);
    }
}
