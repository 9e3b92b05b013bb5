//! How fast reports are taken and found, in memory and in a file. Prints, and asserts nothing.
//!
//! `cargo bench -p reconify-collector`; `ROWS=100000` is the default.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a measurement that fails is none")]

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use reconify_collector::{Capacity, Collector};
use tower::ServiceExt;

const CAPACITY: Capacity = Capacity { reports: 10_000_000, bytes: 1 << 40 };

/// A report of about 4 KB: the turns of a session resend its history.
fn report(number: usize) -> String {
    let (session, turn) = (number / 8, number % 8);
    let text = |turn: usize| {
        format!(
            "turn {turn} of session {session}: {}",
            "the quick brown fox jumps over the lazy dog ".repeat(5)
        )
    };
    let messages = (0..=turn).flat_map(|turn| {
        let question = serde_json::json!({"role": "user", "content": format!("question in {}", text(turn))});
        let answer = serde_json::json!({"role": "assistant", "content": format!("answer in {}", text(turn))});
        [question, answer]
    });
    let messages: Vec<_> = messages.take(2 * turn + 1).collect();
    let time = 1_796_000_000_000 + number as u64 * 1000;
    serde_json::json!({
        "reconify": {"format": "openai", "type": "chat", "version": "1.0.0", "appKey": "app-key-of-bench", "apiKey": "api-key-of-bench"},
        "timestamps": {"request": time, "response": time + 1500},
        "session": format!("session-{session}"), "sessionTimeout": 15, "user": {"userId": format!("user-{}", session % 1000)},
        "request": {"model": if number.is_multiple_of(3) { "gpt-4o" } else { "gpt-4o-mini" }, "messages": messages, "stream": true},
        "response": {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": format!("answer in {}", text(turn))}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 60, "total_tokens": 260}
        },
        "metadata": {"id": format!("id-{number}"), "outcome": "answered", "status": 200, "streamed": true, "chunks": 60, "timeToFirstTokenMs": 200 + number % 300, "durationMs": 1500}
    })
    .to_string()
}

async fn ask(router: &Router, request: Request<Body>) -> Vec<u8> {
    let response = router.clone().oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

async fn measure(name: &str, collector: &Collector, rows: usize) {
    let router = collector.router();
    let start = Instant::now();
    let posts = stream::iter(0..rows).map(|number| {
        let request = Request::post("/track")
            .header("content-type", "application/json")
            .header("idempotency-key", format!("key-{number}"));
        let (router, request) = (router.clone(), request.body(Body::from(report(number))).unwrap());
        tokio::spawn(async move { ask(&router, request).await })
    });
    posts.buffer_unordered(256).for_each(async |done| drop(done.unwrap())).await;
    let took = start.elapsed();
    println!("{name}: {rows} reports taken in {took:.1?}, {:.0} a second", rows as f64 / took.as_secs_f64());
    for (what, path) in [
        ("newest 200 reports", "/api/reports".to_owned()),
        ("sessions", "/api/sessions".to_owned()),
        ("figures of everything", "/api/figures".to_owned()),
        ("a word in all", "/api/reports?q=dog".to_owned()),
        ("a phrase in one", format!("/api/reports?q=%22turn%203%20of%20session%20{}:%22", rows / 16)),
        ("a filter and a word", "/api/reports?q=model:mini%20ttft%3E400%20fox".to_owned()),
        ("transcript of a session", format!("/api/sessions/session-{}", rows / 16)),
        ("status", "/api/status".to_owned()),
    ] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let start = Instant::now();
            let request = Request::get(&path).header("host", "localhost").body(Body::empty()).unwrap();
            drop(ask(&router, request).await);
            times.push(start.elapsed());
        }
        times.sort();
        let [first, .., last] = times.as_slice() else { continue };
        println!("{name}: {what}: {first:.1?} to {last:.1?}");
    }
}

fn main() {
    let rows = std::env::var("ROWS").map_or(100_000, |rows| rows.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "a report has {} bytes on average",
        (0..8).map(|number| report(number).len()).sum::<usize>() / 8
    );
    runtime.block_on(measure(
        "memory",
        &Collector::builder()
            .capacity(CAPACITY)
            .store(reconify_collector::MemoryStore::new(CAPACITY))
            .build(),
        rows,
    ));
    #[cfg(feature = "sqlite")]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        let store = || reconify_collector::SqliteStore::open(&path, CAPACITY).unwrap();
        runtime.block_on(measure("file", &Collector::builder().store(store()).build(), rows));
        // The handlers that were measured are gone.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let start = Instant::now();
        let store = store();
        println!(
            "file: opened in {:.1?}, {} MiB",
            start.elapsed(),
            std::fs::metadata(&path).unwrap().len() >> 20
        );
        drop(store);
    }
}
