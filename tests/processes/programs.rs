//! The two programs of the README, between a simulated OpenAI and a collector.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::example;
use crate::support::gateway::{API_KEY, APP_KEY, Collector, Upstream};
use crate::support::{self, ANSWER, PATIENCE};

/// All that a program takes from its environment.
fn environment(upstream: &Upstream, collector: &Collector) -> [(&'static str, String); 6] {
    [
        ("OPENAI_API_KEY", "sk-test".to_owned()),
        ("OPENAI_BASE_URL", format!("http://{}/v1", upstream.address)),
        ("RECONIFY_ENDPOINT", format!("http://{}/track", collector.address)),
        ("RECONIFY_APP_KEY", APP_KEY.to_owned()),
        ("RECONIFY_API_KEY", API_KEY.to_owned()),
        ("NO_PROXY", "127.0.0.1".to_owned()),
    ]
}

async fn reported(collector: &mut Collector) -> Value {
    serde_json::from_str(&collector.post().await.1).unwrap()
}

#[tokio::test]
async fn the_inbound_program_passes_chats_on_and_reports_them_and_ends_on_sigterm() {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let mut collector = Collector::start().await;
    let mut command = example::command("inbound", &environment(&upstream, &collector));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, printed.next_line()).await.unwrap().unwrap().unwrap();
    let url = format!("{}/v1/chat/completions", line.strip_prefix("listening on ").unwrap());

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // Longer than axum's default limit of 2 MB.
    let text = "Hello".repeat(600_000);
    let chat = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]});
    let without_login = http.post(&url).json(&json!({})).send().await.unwrap();
    assert_eq!(without_login.status(), 401);
    let response = http.post(&url).bearer_auth("alice").json(&chat).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), ANSWER);

    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
    let report = reported(&mut collector).await;
    assert_eq!(report["user"]["userId"], "alice");
    assert_eq!(report["session"], "alice-1");
    assert!(report["request"]["messages"] == chat["messages"], "the whole text is reported");
    assert_eq!(collector.rest(), 0, "a request without a login reaches no model");
}

#[tokio::test]
async fn the_outbound_program_prints_the_answer_and_reports_the_call_before_it_ends() {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let mut collector = Collector::start().await;
    let mut command = example::command("outbound", &environment(&upstream, &collector));
    let output = tokio::time::timeout(PATIENCE, command.arg("Hello").output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_str(ANSWER).unwrap();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), text);
    let report = reported(&mut collector).await;
    assert_eq!((&report["user"]["userId"], &report["session"]), (&json!("alice"), &json!("alice-1")));
    assert_eq!(report["request"]["messages"], json!([{"role": "user", "content": "Hello"}]));
}

#[tokio::test]
async fn the_outbound_program_reports_a_call_after_which_it_fails() {
    let upstream = Upstream::start(|_, _| support::json("no JSON")).await;
    let mut collector = Collector::start().await;
    let mut command = example::command("outbound", &environment(&upstream, &collector));
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(reported(&mut collector).await["user"]["userId"], "alice");
}
