//! Promise 6: user and session belong to a request.

use std::time::Duration;

use serde_json::json;
use tower_reconify::{Config, Operation, Session, User};

use crate::support::{self, ANSWER, chat, exchange, observed, observed_with};

#[tokio::test]
async fn user_and_session_come_from_the_requests_extensions() {
    let mut observed = observed();
    let mut request = chat();
    request.extensions_mut().insert(User::new("u1").email("u1@example.com").authenticated(true));
    request.extensions_mut().insert(Session::new("s1").with_timeout(Duration::from_secs(30 * 60)));
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
    let mut observed = observed_with(
        Config::builder("a", "b").session_timeout(Duration::from_secs(15 * 60)).build().unwrap(),
    );
    let mut request = chat();
    request.extensions_mut().insert(Session::new("s1"));
    exchange(&observed, request, support::json(ANSWER)).await;
    assert_eq!(observed.report().await["sessionTimeout"], 15);
}

#[tokio::test]
async fn identity_headers_are_ignored_by_default() {
    let mut observed = observed();
    let mut request = chat();
    request.headers_mut().insert("x-reconify-user-id", "forged".parse().unwrap());
    exchange(&observed, request, support::json(ANSWER)).await;
    assert_eq!(observed.report().await["user"], json!({}));
}

#[tokio::test]
async fn a_route_of_another_name_can_be_declared() {
    let config = Config::builder("a", "b").route("/ask", Operation::Chat).build().unwrap();
    let mut observed = observed_with(config);
    exchange(&observed, support::post("/api/ask", support::CHAT), support::json(ANSWER)).await;
    assert_eq!(observed.report().await["reconify"]["type"], "chat");
}
