//! Senders that mean ill: what they cost, and whom they delay.

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use futures_util::stream::{self, StreamExt};
use reconify_collector::Collector;
use serde_json::{Value, json};

use crate::support::{Client, chat, client, user};

/// A POST that announces 48 MiB, sends `mebibytes` of them, and stalls.
fn stalled(mebibytes: usize) -> Request<Body> {
    let frame = Bytes::from(vec![b' '; 1 << 20]);
    let frames = stream::iter(std::iter::repeat_n(frame, mebibytes).map(Ok::<_, std::io::Error>));
    let body = frames.chain(stream::pending());
    Request::post("/track")
        .header("content-type", "application/json")
        .header("content-length", 48 << 20)
        .body(Body::from_stream(body))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_announced_and_do_not_come_delay_no_report() {
    let client = client();
    let stalls = (0..100).map(|_| client.send(stalled(0)));
    let report = chat("s", json!([user("hi")]), "ok");
    tokio::select! {
        biased;
        _ = futures_util::future::select_all(stalls.map(Box::pin)) => panic!("none of them ends"),
        answer = client.track(&report) => assert_eq!(answer.status, StatusCode::OK),
    }
}

#[tokio::test(start_paused = true)]
async fn large_bodies_that_fill_the_memory_leave_room_for_small_reports() {
    let client = client();
    // All that large bodies may hold, up to the KiB if their beginnings counted too.
    let mut stalls = futures_util::future::select_all((0..8).map(|_| Box::pin(client.send(stalled(32)))));
    let refused = tokio::select! {
        biased;
        _ = &mut stalls => panic!("none of them ends"),
        answer = client.send(stalled(32)) => answer,
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text());
    assert_eq!(refused.headers["retry-after"], "1");
    let report = chat("s", json!([user("hi")]), "ok");
    tokio::select! {
        biased;
        _ = &mut stalls => panic!("none of them ends"),
        answer = client.track(&report) => assert_eq!(answer.status, StatusCode::OK),
    }
}

#[tokio::test]
async fn a_result_is_shown_below_one_call_however_many_have_its_id() {
    let client = client();
    let calls: Vec<Value> = (0..2000)
        .map(|_| json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}))
        .collect();
    let messages = json!([
        user("hi"),
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c", "content": "what the tool said"},
    ]);
    client.taken(&chat("s", messages, "ok")).await;
    let shown = client.get("/api/reports/1").await["turn"].to_string();
    assert_eq!(shown.matches("what the tool said").count(), 2, "below the first call, and as a message");
    assert_eq!(shown.matches(r#""kind":"toolCall""#).count(), 2000);
}

#[tokio::test]
async fn what_is_shown_of_a_report_has_a_limit_however_much_its_symbols_take() {
    let client = client();
    // A character of two bytes that is shown as a symbol of twelve.
    let part = json!({"type": "text", "text": "\u{ad}".repeat(100_000)});
    let parts: Vec<&Value> = vec![&part; 40];
    client.taken(&chat("s", json!([{"role": "user", "content": parts}]), "ok")).await;
    let shown = client.get_text("/api/reports/1").await;
    assert!((30 << 20..40 << 20).contains(&shown.len()), "{}", shown.len());
    assert!(shown.contains("more, in the report as received"));
}

#[tokio::test]
async fn tags_files_and_attempts_count_as_what_is_kept() {
    let client = client();
    let kept = async || client.get("/api/status").await["bytes"].as_u64().unwrap();
    let mut report = chat("s", json!([user("hi")]), "ok");
    client.track_with_key("plain", &report).await;
    let plain = kept().await;
    let tags: serde_json::Map<_, _> =
        (0..32).map(|tag| (tag.to_string(), json!("\u{ad}".repeat(200)))).collect();
    report["metadata"] = json!({"tags": tags});
    client.track_with_key("tags", &report).await;
    let with_tags = kept().await - plain;
    assert!(with_tags > plain + 32 * 800, "{with_tags}");
    client.track_with_key("tags", &report).await;
    let with_attempt = kept().await - plain - with_tags;
    assert!(with_attempt > 50, "{with_attempt}");
}

#[tokio::test]
async fn a_file_that_is_named_a_hundred_times_is_one_file() {
    let client = client();
    let mut report = chat("s", json!([user("hi")]), "ok");
    let parts = vec![json!({"filename": "a.png"}); 100];
    report["reconify"]["type"] = json!("image");
    report["response"] = json!({"data": parts});
    let id = client.taken(&report).await;
    assert_eq!(client.get(&format!("/api/reports/{id}")).await["files"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn counts_of_tokens_beyond_any_number_are_no_panic() {
    let client = client();
    let mut report = chat("s", json!([user("hi")]), "ok");
    report["response"] = json!({"results": [{"tokenCount": u64::MAX}, {"tokenCount": 1}]});
    let id = client.taken(&report).await;
    let summary = &client.get(&format!("/api/reports/{id}")).await["summary"];
    assert_eq!(summary["tokens"]["out"], u64::MAX);
}

#[tokio::test]
async fn a_key_in_a_wrong_place_is_masked_wherever_a_refusal_shows_it() {
    let client = Client::new(Collector::builder().strict(true));
    let mut report = chat("s", json!([user("hi")]), "ok");
    report["reconify"]["type"] = json!({"apiKey": "secret-secret-1234"});
    report["user"] = json!({"x": {"app_key": "hidden-hidden-1234"}});
    let answer = client.track(&report).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let refused = client.get_text("/api/refused").await;
    for text in [answer.text(), refused] {
        assert!(!text.contains("secret") && !text.contains("hidden"), "{text}");
        assert!(text.contains("…1234"), "{text}");
    }
}

#[tokio::test]
async fn a_wait_answers_a_thousand_reports_at_most() {
    let client = client();
    for number in 0..1001 {
        client.track(&chat("s", json!([user(&number.to_string())]), "ok")).await;
    }
    let waited = client.get("/api/wait?count=1").await;
    assert_eq!((&waited["matched"], waited["reports"].as_array().unwrap().len()), (&json!(1000), 1000));
}

#[tokio::test]
async fn a_session_that_is_named_like_a_folder_has_a_path() {
    let client = client();
    for (name, path) in [(".", "~."), ("..", "~.."), ("~..", "~~..")] {
        client.taken(&chat(name, json!([user("hi")]), "ok")).await;
        assert_eq!(client.get(&format!("/api/sessions/{path}")).await["session"], name);
    }
}
