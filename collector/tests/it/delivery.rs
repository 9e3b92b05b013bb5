use axum::body::Body;
use axum::http::StatusCode;
use reconify_collector::Collector;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Client, chat, client, ids, user};

#[tokio::test]
async fn a_fault_of_two_503_shows_three_attempts_of_one_report() {
    let client = client();
    let armed =
        client.write("POST", "/api/faults", &json!({"status": 503, "times": 2, "retry_after": "7s"})).await;
    assert_eq!((armed.status, &armed.json()["left"]), (StatusCode::CREATED, &json!(2)));
    let report = chat("s", json!([user("hi")]), "ok");
    for (status, undelivered) in [(503, 1), (503, 1), (200, 0)] {
        let answer = client.track_with_key("k-1", &report).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.headers.get("retry-after").is_some_and(|value| value == "7"), status == 503);
        let accounting = client.get("/api/accounting").await;
        assert_eq!(accounting["undelivered"].as_array().unwrap().len(), undelivered);
    }
    let list = client.get("/api/reports").await;
    assert_eq!(
        (ids(&list), &list["reports"][0]["attempts"], &list["reports"][0]["faulted"]),
        (vec![1], &json!(3), &json!(2))
    );
    let detail = client.get("/api/reports/1").await;
    let statuses: Vec<_> =
        detail["attempts"].as_array().unwrap().iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!(client.get("/api/faults").await, json!({"faults": []}));
}

#[tokio::test]
async fn a_report_that_is_sent_again_is_one_report_and_another_with_its_key_is_two() {
    let client = client();
    let report = chat("s", json!([user("hi")]), "ok");
    for _ in 0..3 {
        assert_eq!(client.track_with_key("k-1", &report).await.status, StatusCode::OK);
    }
    assert_eq!(client.get("/api/reports").await["reports"][0]["attempts"], 3);
    client.track_with_key("k-1", &chat("s", json!([user("other")]), "ok")).await;
    let list = client.get("/api/reports?q=has:key-reused").await;
    assert_eq!(ids(&list), [2]);
    assert_eq!(client.get("/api/reports/2").await["attempts"][0]["sameBytes"], false);
    // Without a key, nothing tells a repetition from a report.
    client.taken(&report).await;
    client.taken(&report).await;
    assert_eq!(client.get("/api/status").await["reports"], 4);
    let answered = &client.get("/api/accounting").await["answered"];
    assert_eq!((&answered["ok"], &answered["repeated"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn a_refusal_names_every_field_and_is_kept_without_keys() {
    let client = Client::new(Collector::builder().strict(true));
    let mut report = chat("s", json!([user("hi")]), "ok");
    report["reconify"]["version"] = json!("3.0.0");
    report["session"] = json!("");
    report["user"] = json!({"name": "Bob"});
    let answer = client.track(&report).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let body = answer.json();
    let pointers: Vec<_> = body["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["pointer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(pointers, ["/reconify/version", "/session", "/user/name", "/user"]);
    assert_eq!(
        body["fields"][0],
        json!({"pointer": "/reconify/version", "found": "\"3.0.0\"", "expected": "\"1.0.0\""})
    );
    let refused = client.get("/api/refused").await;
    assert_eq!((&refused["total"], &refused["refused"][0]["fields"]), (&json!(1), &body["fields"]));
    assert!(!refused.to_string().contains("key-of-test"), "{refused}");
    assert_eq!(client.write("DELETE", "/api/refused", &Value::Null).await.json(), json!({"deleted": 1}));
    assert_eq!(client.get("/api/status").await["refusedKept"], 0);
}

#[tokio::test]
async fn a_refusal_with_any_number_of_fields_takes_little_to_keep() {
    let client = Client::new(Collector::builder().strict(true));
    let mut report = chat("s", json!([user("hi")]), "ok");
    for number in 0..900 {
        report["user"][format!("field-{number}")] = json!("x".repeat(50));
    }
    let answer = client.track(&report).await.json();
    assert_eq!(answer["fields"].as_array().unwrap().len(), 900);
    let refused = &client.get("/api/refused").await["refused"][0];
    let kept = refused["fields"].as_array().unwrap();
    assert_eq!(kept.last().unwrap()["found"], format!("{} more", 901 - kept.len()));
    assert!(refused.to_string().len() < 64 << 10, "{}", refused.to_string().len());
}

#[tokio::test]
async fn a_report_of_48_mib_is_taken_and_a_larger_one_is_kept_as_refused() {
    let client = client();
    let rest = chat("s", json!([user("")]), "ok").to_string().len();
    let report = chat("s", json!([user(&"x".repeat((48 << 20) - rest))]), "ok");
    assert_eq!(report.to_string().len(), 48 << 20);
    assert_eq!(client.track(&report).await.status, StatusCode::OK);
    let size = &client.get("/api/reports?q=has:large").await["reports"][0]["bytes"];
    assert_eq!(size, &json!(48 << 20));
    let report = chat("s", json!([user(&"x".repeat((48 << 20) - rest + 1))]), "ok");
    assert_eq!(client.track(&report).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(client.get("/api/refused").await["refused"][0]["status"], 413);
}

#[tokio::test]
async fn a_wait_ends_with_the_report_or_with_what_came() {
    let client = client();
    client.taken(&chat("a", json!([user("one")]), "ok")).await;
    let wait = client.get("/api/wait?q=session:a").await;
    assert_eq!((ids(&wait), &wait["matched"]), (vec![1], &json!(1)));
    let waiting = client.with("GET", "/api/wait?q=session:a%20two&count=1&timeout=30s", &[], Body::empty());
    let sending = async {
        tokio::task::yield_now().await;
        client.taken(&chat("a", json!([user("three")]), "ok")).await;
        client.taken(&chat("b", json!([user("two")]), "ok")).await;
        client.taken(&chat("a", json!([user("TWO")]), "ok")).await
    };
    let (answer, id) = tokio::join!(waiting, sending);
    assert_eq!((answer.status, ids(&answer.json())), (StatusCode::OK, vec![id]));
    let late =
        client.with("GET", "/api/wait?q=session:a&count=9&timeout=10ms&after=1", &[], Body::empty()).await;
    assert_eq!((late.status, ids(&late.json())), (StatusCode::REQUEST_TIMEOUT, vec![2, 4]));
}

#[tokio::test]
async fn no_more_than_32_wait_and_all_are_let_go_when_the_collector_stops() {
    let client = client();
    let wait = || client.with("GET", "/api/wait?timeout=60s", &[], Body::empty());
    let waiting = futures_util::future::join_all((0..32).map(|_| wait()));
    let more = async {
        let refused = loop {
            let answer = client.with("GET", "/api/wait?timeout=1ms", &[], Body::empty()).await;
            if answer.status != StatusCode::REQUEST_TIMEOUT {
                break answer.status;
            }
        };
        client.collector.stop();
        refused
    };
    let (waited, refused) = tokio::join!(waiting, more);
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    assert!(waited.iter().all(|answer| answer.status == StatusCode::REQUEST_TIMEOUT));
}

/// A collector on a real socket.
async fn serve(collector: &Collector) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let collector = collector.clone();
    tokio::spawn(async move { collector.serve(listener).await.unwrap() });
    address
}

async fn ask(address: std::net::SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an error, or the end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn faults_reset_break_off_and_answer_nonsense() {
    let client = client();
    let address = serve(&client.collector).await;
    let report = chat("s", json!([user("hi")]), "ok").to_string();
    for fault in [
        json!({"reset": true}),
        json!({"after_bytes": 5}),
        json!({"garbage": true}),
        json!({"status": 429, "body": "slow down"}),
    ] {
        assert_eq!(client.write("POST", "/api/faults", &fault).await.status, StatusCode::CREATED);
    }
    assert_eq!(ask(address, "POST /track", &report).await, "");
    let broken = ask(address, "POST /track", &report).await;
    assert!(broken.starts_with("HTTP/1.1 200") && broken.ends_with("\r\n\r\n{\"sta"), "{broken}");
    assert!(ask(address, "POST /track", &report).await.ends_with("<html>not JSON"));
    let slow = ask(address, "POST /track", &report).await;
    assert!(slow.starts_with("HTTP/1.1 429") && slow.ends_with("slow down"), "{slow}");
    assert!(ask(address, "POST /track", &report).await.ends_with("{\"status\":\"ok\"}"));
    assert_eq!(client.get("/api/accounting").await["answered"]["faulted"], 4);
}

#[tokio::test]
async fn events_have_ids_only_and_end_when_the_collector_stops() {
    let client = client();
    let address = serve(&client.collector).await;
    let reading = tokio::spawn(async move { ask(address, "GET /api/events", "").await });
    let lines = tokio::spawn(async move { ask(address, "GET /api/events?format=line", "").await });
    while client.get("/api/status").await["streams"] != 2 {
        tokio::task::yield_now().await;
    }
    let mut report = chat("s\u{1b}[2J", json!([user("hi \u{202e} there\nnew")]), "ok");
    report["user"]["userId"] = json!("bob\u{7}");
    client.taken(&report).await;
    client.write("POST", "/api/faults", &json!({"hang": true})).await;
    client.collector.stop();
    let (events, lines) = (reading.await.unwrap(), lines.await.unwrap());
    assert!(events.contains("event: hello\ndata: {\"lastId\":0}\n\n"), "{events}");
    assert!(
        events.contains("event: report\ndata: {\"id\":1}\n\n")
            && events.contains("event: faults\ndata: {}\n\n"),
        "{events}"
    );
    assert!(!events.contains("there"), "{events}");
    assert!(lines.contains("report    #1 format=openai type=chat user=bob␇ session=s␛[2J model=gpt-4o tokens=15 asked=\"hi ⟨U+202E⟩ there new\" answered=\"ok\""), "{lines}");
}
