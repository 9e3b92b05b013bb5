use axum::body::Body;
use axum::http::StatusCode;
use reconify_collector::{Capacity, Collector};
use serde_json::{Value, json};

use crate::support::{Client, chat, client, ids, user};

#[tokio::test]
async fn a_report_is_kept_as_received_but_for_its_keys() {
    let client = client();
    let text = chat("s1", json!([user("What is 0.10 of 1e400?")]), "Much.")
        .to_string()
        .replace("\"gpt-4o\"", "\"gpt-4o\" ,\"seed\": 0.10, \"big\": 1e999");
    let answer = client.with("POST", "/track", &[("content-type", "application/json")], text.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let raw = client.get_text("/api/reports/1/raw").await;
    assert_eq!(raw, text.replace("app-key-of-test", "…test").replace("api-key-of-test", "…test"));
    let detail = client.get("/api/reports/1").await;
    assert_eq!(
        detail["parameters"],
        json!([{"name": "model", "value": "\"gpt-4o\""}, {"name": "seed", "value": "0.10"}, {"name": "big", "value": "1e999"}])
    );
    assert_eq!(detail["turn"]["answers"][0][0]["parts"], json!([{"kind": "text", "text": "Much."}]));
    assert_eq!(detail["summary"]["app"], "…test");
}

#[tokio::test]
async fn nesting_of_any_depth_is_taken_and_shown() {
    let client = client();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = chat("s1", json!([{"role": "user", "content": [{"type": "odd", "deep": "DEEP"}]}]), "ok")
        .to_string()
        .replace("\"DEEP\"", &deep);
    let answer = client.with("POST", "/track", &[("content-type", "application/json")], text).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(client.get("/api/reports/1").await["turn"]["messages"][0]["parts"][0]["kind"], "json");
}

#[tokio::test]
async fn a_search_finds_parts_of_words_in_any_script() {
    let client = client();
    for (session, question, answer) in [
        ("a", "Какая ПОГОДА в Осло?", "Дождь"),
        ("b", "今天我很好", "很好"),
        ("c", "100% sure_thing <b>", "\u{130}stanbul"),
    ] {
        client.taken(&chat(session, json!([user(question)]), answer)).await;
    }
    for (query, expected) in [
        ("погод", vec![1]),
        ("ДОЖДЬ", vec![1]),
        ("天我", vec![2]),
        ("100%25", vec![3]),
        ("%25", vec![3]),
        ("sure_", vec![3]),
        ("sure.thing", vec![]),
        ("content", vec![]),
        ("-погода", vec![3, 2]),
        ("session:a", vec![1]),
        ("has:no-such-check", vec![]),
        ("user:bob%20model:gpt-4o", vec![3, 2, 1]),
    ] {
        let path = format!("/api/reports?q={query}");
        let answer = client
            .with(
                "GET",
                &path
                    .replace("погод", "%D0%BF%D0%BE%D0%B3%D0%BE%D0%B4")
                    .replace("а", "%D0%B0")
                    .replace("ДОЖДЬ", "%D0%94%D0%9E%D0%96%D0%94%D0%AC")
                    .replace("天我", "%E5%A4%A9%E6%88%91"),
                &[],
                Body::empty(),
            )
            .await;
        if answer.status == StatusCode::BAD_REQUEST {
            assert_eq!(answer.json()["at"], 0, "{query}");
            continue;
        }
        let list = answer.json();
        assert_eq!(
            (ids(&list), &list["matched"], &list["total"]),
            (expected.clone(), &json!(expected.len()), &json!(3)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn lists_have_pages_and_count_all() {
    let client = client();
    for number in 0..25 {
        client.taken(&chat("s", json!([user(&number.to_string())]), "ok")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/reports?limit=10".to_owned();
    loop {
        let list = client.get(&path).await;
        assert_eq!(list["matched"], 25);
        seen.extend(ids(&list));
        match list["next"].as_u64() {
            Some(next) => path = format!("/api/reports?limit=10&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    assert_eq!(ids(&client.get("/api/reports?after=23").await), [25, 24]);
}

#[tokio::test]
async fn any_number_of_sessions_and_users_fills_nothing_but_the_ring() {
    let client = Client::new(Collector::builder().capacity(Capacity { reports: 10, bytes: 1 << 30 }));
    for number in 0..50 {
        let mut report = chat(&format!("s{number}"), json!([user("hi")]), "ok");
        report["user"]["userId"] = json!(format!("u{number}"));
        client.track_with_key(&format!("k{number}"), &report).await;
    }
    let status = client.get("/api/status").await;
    assert_eq!(
        (&status["reports"], &status["evicted"], &status["lastId"]),
        (&json!(10), &json!(40), &json!(50))
    );
    assert_eq!(client.get("/api/sessions").await["total"], 10);
    assert_eq!(client.get("/api/users").await["total"], 10);
    let gone = client.with("GET", "/api/reports/7", &[], Body::empty()).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text().contains("is gone"), "{}", gone.text());
    let later = client.with("GET", "/api/reports/99", &[], Body::empty()).await;
    assert!(later.text().contains("has not come yet"), "{}", later.text());
}

#[tokio::test]
async fn a_store_that_is_full_of_bytes_drops_the_oldest_but_never_the_newest() {
    let client = Client::new(Collector::builder().capacity(Capacity { reports: 1000, bytes: 100_000 }));
    for _ in 0..5 {
        client.taken(&chat("s", json!([user(&"x".repeat(30_000))]), "ok")).await;
    }
    assert_eq!(ids(&client.get("/api/reports").await), [5]);
    client.taken(&chat("s", json!([user(&"x".repeat(300_000))]), "ok")).await;
    assert_eq!(ids(&client.get("/api/reports").await), [6]);
}

#[tokio::test]
async fn what_matches_a_search_can_be_removed_but_nothing_by_mistake() {
    let client = client();
    for session in ["a", "b", "a"] {
        client.taken(&chat(session, json!([user("hi")]), "ok")).await;
    }
    assert_eq!(client.write("DELETE", "/api/reports", &Value::Null).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        client.write("DELETE", "/api/reports?q=session:a", &Value::Null).await.json(),
        json!({"deleted": 2})
    );
    assert_eq!(ids(&client.get("/api/reports").await), [2]);
    assert_eq!(client.write("DELETE", "/api/reports?q=*", &Value::Null).await.json(), json!({"deleted": 1}));
    let id = client.taken(&chat("a", json!([user("hi")]), "ok")).await;
    assert_eq!(id, 4);
}

#[tokio::test]
async fn an_export_can_be_imported_and_is_then_the_same() {
    let from = client();
    for (session, text) in [("a", "one"), ("a", "two \u{202e} три"), ("b", "=1+1")] {
        from.track_with_key(
            &format!("key-{text}").replace([' ', '\u{202e}', 'т', 'р', 'и'], ""),
            &chat(session, json!([user(text)]), "ok"),
        )
        .await;
    }
    let upload = json!({
        "reconify": {"format": "openai", "type": "image-upload", "version": "1.0.0", "appKey": "a", "apiKey": "b"},
        "upload": {"filename": "a.png", "type": "response-image", "format": "b64_json", "data": {"b64_json": "iVBORw0KGgo="}}
    });
    assert_eq!(from.write("POST", "/upload", &upload).await.status, StatusCode::OK);
    for (format, kind) in [("json", "application/json"), ("jsonl", "application/x-ndjson")] {
        let export = from.with("GET", &format!("/api/reports?format={format}"), &[], Body::empty()).await;
        let name = export.headers["content-disposition"].to_str().unwrap();
        assert!(
            name.starts_with("attachment; filename=\"reports-2") && name.ends_with(&format!(".{format}\"")),
            "{name}"
        );
        let to = client();
        let import = to.with("POST", "/api/import", &[("content-type", kind)], export.body.clone()).await;
        assert_eq!(import.json(), json!({"imported": 4, "known": 0, "refused": 0, "errors": []}), "{format}");
        let again = to.with("POST", "/api/import", &[("content-type", kind)], export.body).await;
        assert_eq!(again.json()["known"], 4);
        for id in 1..=4 {
            let path = format!("/api/reports/{id}/raw");
            assert_eq!(to.get_text(&path).await, from.get_text(&path).await);
            let path = format!("/api/reports/{id}");
            let (ours, theirs) = (to.get(&path).await, from.get(&path).await);
            assert_eq!(ours["attempts"], theirs["attempts"]);
            assert_eq!(ours["summary"]["received"], theirs["summary"]["received"]);
        }
    }
    let image = from.with("GET", "/api/reports/4/media/0", &[], Body::empty()).await;
    assert_eq!((image.headers["content-type"].to_str().unwrap(), image.body.len()), ("image/png", 8));
    let csv = from.get_text("/api/reports?format=csv").await;
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.contains(",\"'=1+1\",") && csv.contains("two ⟨U+202E⟩ три"), "{csv}");
    let wrong = client()
        .with("POST", "/api/import", &[("content-type", "application/x-ndjson")], "{\"key\":1}\nx")
        .await;
    assert_eq!((wrong.status, &wrong.json()["refused"]), (StatusCode::OK, &json!(2)));
    let wrong = client().write("POST", "/api/import", &json!({"a": 1})).await;
    assert!(
        wrong.status == StatusCode::BAD_REQUEST && wrong.text().contains("no export"),
        "{}",
        wrong.text()
    );
}

#[tokio::test]
async fn figures_and_lists_obey_the_same_search() {
    let client = client();
    for (model, outcome, ttft) in
        [("gpt-4o", "answered", 100), ("gpt-4o", "interrupted", 300), ("o3", "answered", 900)]
    {
        let mut report = chat("s", json!([user("hi")]), "ok");
        report["request"]["model"] = json!(model);
        report["metadata"] = json!({"outcome": outcome, "timeToFirstTokenMs": ttft, "durationMs": 1000, "streamed": true, "status": 200});
        client.taken(&report).await;
    }
    let figures = client.get("/api/figures?q=model:gpt").await;
    assert_eq!(
        (&figures["count"], &figures["total"], &figures["failed"], &figures["interrupted"]),
        (&json!(2), &json!(3), &json!(1), &json!(1))
    );
    assert_eq!(figures["ttft"], json!({"count": 2, "p50": 100, "p95": 300, "p99": 300, "max": 300}));
    assert_eq!(figures["tokens"]["in"], 20);
    assert_eq!(ids(&client.get("/api/reports?q=ttft%3E200").await), [3, 2]);
    let users = client.get("/api/users?q=is:interrupted").await;
    assert_eq!(users["users"][0]["interactions"], 1);
    let metrics = client.get_text("/metrics").await;
    assert!(metrics.contains("reconify_collector_reports_total{format=\"openai\"} 3"), "{metrics}");
    assert!(!metrics.contains("bob"), "{metrics}");
}

#[tokio::test]
async fn the_example_is_a_session_of_three_turns() {
    let client = client();
    let example = client.write("POST", "/api/example", &json!({})).await.json();
    let session = client.get(&format!("/api/sessions/{}", example["sessionKey"].as_str().unwrap())).await;
    assert_eq!((session["turns"].as_array().unwrap().len(), &session["threads"]), (3, &json!(1)));
    assert_eq!(
        session["turns"][0]["answers"][0][0]["parts"][0]["result"],
        "{\"now\":\"rain\",\"later\":\"sun\"}"
    );
    assert_eq!(client.get("/api/problems").await["problems"], json!([]));
}

#[tokio::test]
async fn every_error_is_json_that_says_what_to_do() {
    let client = client();
    for (path, status) in [
        ("/api/nothing", 404),
        ("/api/reports?q=nope:1", 400),
        ("/api/reports?limit=x", 400),
        ("/api/reports?format=xml", 400),
        ("/api/reports/x", 400),
        ("/api/sessions/none", 404),
        ("/api/compare?a=1", 400),
        ("/api/compare?a=1&b=2", 404),
        ("/api/wait?timeout=never", 400),
    ] {
        let answer = client.with("GET", path, &[], Body::empty()).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.json()["error"].as_str().is_some_and(|error| !error.is_empty()), "{path}");
    }
}
