//! The payload beside one that the vendor's own Node module (3.1.0) was seen to send.
//! A binary of its own, because it replays recorded posts, which only some machines have.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use support::{Observed, exchange, observed, observed_with};
use tower_reconify::{Config, Interaction, InteractionKind, Session, User};

/// What the vendor's module sends for a chat, in its shape.
fn recorded_chat() -> Value {
    json!({
        "reconify": {"format": "openai", "appKey": "APP", "apiKey": "API", "type": "chat", "version": "3.1.0"},
        "request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        "response": {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "yo"}}]},
        "user": {"userId": "u", "isAuthenticated": 1, "firstName": "Jane", "lastName": "Doe"},
        "session": "S1", "sessionTimeout": 15,
        "timestamps": {"request": 1_700_000_000_000_u64, "response": 1_700_000_004_000_u64},
    })
}

fn user(recorded: &Value) -> Option<User> {
    let fields = recorded["user"].as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let user = User::new(text("userId")?);
    let user = text("firstName").map_or(user.clone(), |name| user.first_name(name));
    let user = text("lastName").map_or(user.clone(), |name| user.last_name(name));
    Some(fields.get("isAuthenticated").map_or(user.clone(), |flag| user.authenticated(flag == 1)))
}

fn session(recorded: &Value) -> Option<Session> {
    let session = Session::new(recorded["session"].as_str()?);
    let minutes = recorded["sessionTimeout"].as_u64().map(|minutes| u32::try_from(minutes).unwrap());
    Some(minutes.map_or(session.clone(), |minutes| {
        session.with_timeout(std::time::Duration::from_secs(u64::from(minutes) * 60))
    }))
}

/// The report of the same interaction through the layer, or by hand where it is none of the layer's.
async fn reported(recorded: &Value, observed: &mut Observed) -> Value {
    let path = match recorded["reconify"]["type"].as_str().unwrap() {
        "chat" => "/v1/chat/completions",
        "completion" => "/v1/completions",
        "assistant" => {
            let mut interaction =
                Interaction::new(InteractionKind::Assistant, &recorded["request"], &recorded["response"])
                    .unwrap();
            interaction = interaction.user(user(recorded).unwrap()).session(session(recorded).unwrap());
            let at = |name: &str| Duration::from_millis(recorded["timestamps"][name].as_u64().unwrap());
            interaction = interaction.at(UNIX_EPOCH + at("request"), at("response") - at("request"));
            observed.layer.reporter().report(interaction);
            return observed.report().await;
        }
        other => panic!("no {other} here"),
    };
    let mut request = support::post(path, recorded["request"].to_string());
    if let Some(user) = user(recorded) {
        request.extensions_mut().insert(user);
    }
    if let Some(session) = session(recorded) {
        request.extensions_mut().insert(session);
    }
    exchange(observed, request, support::json(recorded["response"].to_string())).await;
    observed.report().await
}

/// Asserts that a report differs from a recorded one only where the wire contract decides so: in the version, in the
/// keys (the transport adds them), and in the moments.
fn assert_same(mut reported: Value, mut recorded: Value) {
    assert_eq!(reported["reconify"]["version"], "1.0.0");
    for (payload, keys) in [(&mut reported, false), (&mut recorded, true)] {
        let reconify = payload["reconify"].as_object_mut().unwrap();
        reconify.remove("version").unwrap();
        assert_eq!((reconify.remove("appKey").is_some(), reconify.remove("apiKey").is_some()), (keys, keys));
        let timestamps = payload.as_object_mut().unwrap().remove("timestamps").unwrap();
        assert!(timestamps["request"].as_u64().unwrap() <= timestamps["response"].as_u64().unwrap());
        assert_eq!(timestamps.as_object().unwrap().len(), 2);
    }
    assert_eq!(reported, recorded);
}

#[tokio::test]
async fn a_chat_is_reported_as_the_vendors_module_does() {
    let mut observed = observed();
    let recorded = recorded_chat();
    assert_same(reported(&recorded, &mut observed).await, recorded);
}

#[tokio::test]
async fn what_is_reported_by_hand_has_the_moments_given() {
    let mut observed = observed_with(Config::builder("APP", "API").build().unwrap());
    let mut recorded = recorded_chat();
    recorded["reconify"]["type"] = "assistant".into();
    let report = reported(&recorded, &mut observed).await;
    assert_eq!(report["timestamps"], recorded["timestamps"]);
    assert_same(report, recorded);
}

#[tokio::test]
#[ignore = "needs recorded posts of the vendor's module: RECONIFY_WIRE names their file"]
async fn recorded_posts_of_the_vendors_module_are_matched_field_by_field() {
    let file = std::fs::read(std::env::var("RECONIFY_WIRE").expect("RECONIFY_WIRE is set")).unwrap();
    let posts: Vec<Value> = serde_json::from_slice(&file).unwrap();
    let mut compared = 0;
    let mut observed = observed();
    for post in posts {
        let recorded = &post["body"];
        match recorded["reconify"]["type"].as_str().unwrap() {
            "image" | "image-upload" => continue,
            // The module loses every stream: it reports an object of the client library's.
            _ if recorded["response"] == json!({"controller": {}}) => continue,
            _ => {}
        }
        assert_same(reported(recorded, &mut observed).await, recorded.clone());
        compared += 1;
    }
    println!("{compared} recorded posts matched");
    assert!(compared >= 3);
}
