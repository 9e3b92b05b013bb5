//! The example gateway as a process: what it forwards, how it takes bad input, how it ends.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::gateway::{API_KEY, APP_KEY, Collector, Gateway, Upstream, raw_upstream};
use crate::support::{self, ANSWER, CHAT};

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().no_gzip().build().unwrap()
}

fn ok_json() -> Response {
    support::json(ANSWER)
}

async fn post(gateway: &Gateway, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let request =
        client().post(gateway.url("/v1/chat/completions")).header("content-type", "application/json");
    request.header("x-user-id", "jane").header("x-session-id", "s1").body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_newcomer_sees_three_reports_without_typing_anything() {
    let mut gateway = Gateway::start(&[]).await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(gateway.line_with("report    ").await);
    }
    assert!(gateway.printed.iter().all(|line| !line.starts_with("refused")), "{:?}", gateway.printed);
    // Two of them may be on their way at once.
    lines.sort_by_key(|line| line.split_once("model=").map(|(_, model)| model.to_owned()));
    for (line, (kind, user, model, texts)) in lines.iter().zip([
        ("chat", "alice", "claude-sonnet-4-5", r#"asked="And one about dogs, please" answered="This is the answer to \"And one about dogs, please\"""#),
        ("generate", "bob", "gemini-2.5-flash", r#"asked="Say this is a test" answered="This is the answer to \"Say this is a test\"""#),
        ("chat", "alice", "gpt-4o", r#"asked="Tell a cat joke" answered="This is answer 1 to \"Tell a cat joke\"""#),
    ]) {
        let wanted = format!("type={kind} user={user} session={user}-1 model={model} ");
        assert!(line.contains(&wanted) && line.contains(texts), "{wanted}{texts}: {line}");
    }
    for name in ["OpenAI:     simulated", "Anthropic:  simulated", "Gemini:     simulated"] {
        assert!(gateway.printed.iter().any(|line| line.contains(name)), "{name}: {:?}", gateway.printed);
    }
    assert!(gateway.printed.iter().any(|line| line.contains("local collector with demo keys")));
    let (status, counts) = gateway.stop().await;
    assert!(status.success());
    assert!(
        counts.contains("3 captured = 3 delivered + 0 rejected + 0 dropped + 0 withheld + 0 pending"),
        "{counts}"
    );
}

#[tokio::test]
async fn the_page_is_named_first_and_shows_each_report_and_the_counts_of_the_layer() {
    let gateway = Gateway::start(&[("COLLECTOR_ADDR", "127.0.0.1:0".to_owned())]).await;
    let page = gateway.printed[0].strip_prefix("page: ").expect("the first line names the page").to_owned();
    let get = async |path: &str| client().get(format!("{page}{path}")).send().await.unwrap();
    assert!(get("").await.text().await.unwrap().starts_with("<!doctype html>"));
    let found: Value =
        serde_json::from_str(&get("api/wait?count=3&timeout=30s").await.text().await.unwrap()).unwrap();
    let mut models: Vec<_> =
        found["reports"].as_array().unwrap().iter().map(|report| report["model"].as_str().unwrap()).collect();
    models.sort_unstable();
    assert_eq!(models, ["claude-sonnet-4-5", "gemini-2.5-flash", "gpt-4o"]);
    // Metadata are on, and nothing is wrong with any report.
    for report in found["reports"].as_array().unwrap() {
        assert_eq!((&report["outcome"], &report["problems"]), (&json!("answered"), &json!([])), "{report}");
    }
    let accounting: Value = serde_json::from_str(&get("api/accounting").await.text().await.unwrap()).unwrap();
    assert_eq!((&accounting["stats"]["captured"], &accounting["stats"]["dropped"]), (&json!(3), &json!(0)));
    let (status, _) = gateway.stop().await;
    assert!(status.success());
}

#[tokio::test]
async fn everything_but_identity_and_hop_by_hop_headers_is_forwarded() {
    let upstream = Upstream::start(|_, _| {
        let mut response = ok_json();
        response.headers_mut().append("x-request-id", HeaderValue::from_static("req_1"));
        response.headers_mut().append("set-cookie", HeaderValue::from_static("a=1"));
        response.headers_mut().append("set-cookie", HeaderValue::from_static("b=2"));
        response
    })
    .await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let request = client()
        .patch(gateway.url("/v1/files/a%20b?limit=2&after=%2F"))
        .header("authorization", "Bearer sk-1")
        .header("openai-organization", "org")
        .header("x-custom", "1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("te", "trailers")
        .header("proxy-authorization", "Basic x")
        .header("x-user-id", "jane")
        .header("x-user-email", "jane@example.com")
        .header("x-session-id", "s")
        .body("body");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.headers()["x-request-id"], "req_1");
    assert_eq!(response.text().await.unwrap(), ANSWER);
    let (parts, body) = upstream.requests.lock().unwrap().pop().unwrap();
    assert_eq!((parts.method.as_str(), body), ("PATCH", Bytes::from("body")));
    assert_eq!(parts.uri, "/v1/files/a%20b?limit=2&after=%2F");
    assert_eq!(parts.headers["host"], upstream.address.to_string());
    // The gateway's own connection, on which it takes trailers for the client.
    for (name, value) in [
        ("connection", "te"),
        ("te", "trailers"),
        ("via", "HTTP/1.1 reconify-gateway"),
        ("x-forwarded-for", "10.0.0.1"),
    ] {
        assert_eq!(parts.headers[name], value, "{name}");
    }
    let mut names: Vec<_> = parts.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "authorization",
            "connection",
            "content-length",
            "host",
            "openai-organization",
            "te",
            "via",
            "x-custom",
            "x-forwarded-for",
            "x-request-id",
        ]
    );
    let (status, counts) = gateway.stop().await;
    assert!(status.success() && counts.contains("0 captured"), "{counts}");
    assert_eq!(collector.rest(), 0);
}

#[tokio::test]
async fn a_path_that_would_lead_out_of_the_base_url_is_refused_and_no_other() {
    let upstream = Upstream::start(|_, _| ok_json()).await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let get = async |path: &str| {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    for path in [
        "/v1/../admin",
        "/v1/%2E%2e/admin",
        "/v1/a/./b",
        "/v1/..%2fadmin",
        "/v1/a%2F%2e%2E",
        "/v1/..\\admin",
        "/v1/..%5cadmin",
        "/v1/a%5C..;b/admin",
        "/v1/..;/admin",
        "/v1/.;a=b;/admin",
    ] {
        let answer = get(path).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    assert!(upstream.requests.lock().unwrap().is_empty());
    for path in ["/v1/a..%2fb", "/v1/.../b", "/v1/a;../b", "/v1/.a%5c..b"] {
        let answer = get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert_eq!(upstream.requests.lock().unwrap().pop().unwrap().0.uri, path);
    }
}

#[tokio::test]
async fn a_report_has_the_user_the_session_and_the_keys() {
    let upstream = Upstream::start(|_, _| ok_json()).await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    assert_eq!(post(&gateway, CHAT).await.text().await.unwrap(), ANSWER);
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    assert_eq!((&report["user"], &report["session"]), (&json!({"userId": "jane"}), &json!("s1")));
    assert_eq!(
        (&report["reconify"]["appKey"], &report["reconify"]["apiKey"]),
        (&json!(APP_KEY), &json!(API_KEY))
    );
    assert_eq!(report["request"], serde_json::from_str::<Value>(CHAT).unwrap());
}

#[tokio::test]
async fn the_gateway_passes_each_event_of_a_stream_as_it_comes() {
    let (events, received) = tokio::sync::mpsc::unbounded_channel::<&str>();
    let received = std::sync::Mutex::new(Some(received));
    let received: &'static _ = Box::leak(Box::new(received));
    let upstream = Upstream::start(move |_, _| {
        let received = received.lock().unwrap().take().unwrap();
        let body = stream::unfold(received, async |mut received| {
            Some((Ok::<_, Infallible>(received.recv().await?), received))
        });
        Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(body)).unwrap()
    })
    .await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let mut response = post(&gateway, CHAT).await;
    for text in ["Hel", "lo"] {
        let event = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
        events.send(event.clone().leak()).unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), event, "it arrives before the next one exists");
    }
    drop(events);
    assert_eq!(response.chunk().await.unwrap(), None);
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    assert_eq!(report["response"]["choices"][0]["message"]["content"], "Hello");
}

#[tokio::test]
async fn bad_bodies_reach_openai_as_they_are_and_its_answer_the_client() {
    let upstream = Upstream::start(|parts, body| {
        let length = body.len();
        let said = parts.headers.get("content-length").map_or("0", |said| said.to_str().unwrap());
        assert_eq!(length.to_string(), said);
        let mut response = support::json(format!(r#"{{"error":{{"message":"got {length} bytes"}}}}"#));
        *response.status_mut() = axum::http::StatusCode::BAD_REQUEST;
        response
    })
    .await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let long = vec![b'x'; 20 * 1024 * 1024];
    for body in [&b"not json"[..], b"", br#"{"model":"gpt-4o","mess"#, &long] {
        let response = post(&gateway, body.to_vec()).await;
        assert_eq!(response.status(), 400);
        assert_eq!(
            response.text().await.unwrap(),
            format!(r#"{{"error":{{"message":"got {} bytes"}}}}"#, body.len())
        );
    }
    let (_, counts) = gateway.stop().await;
    assert!(
        counts.contains(
            "4 captured = 0 delivered + 0 rejected + 0 dropped + 4 withheld (refused 4) + 0 pending + 0 spooled"
        ),
        "{counts}"
    );
    assert_eq!(collector.rest(), 0);
}

#[tokio::test]
async fn twenty_megabytes_that_are_answered_are_reported_as_far_as_they_are_kept() {
    // Both would not fit into the half of the budget that large bodies may fill.
    let long = format!(r#"{{"messages":[],"x":"{}"}}"#, "x".repeat(20 * 1024 * 1024));
    let answer = long.clone();
    let upstream = Upstream::start(move |_, body| match body.len() {
        ..1_000 => support::json(answer.clone()),
        _ => support::json("{}"),
    })
    .await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let truncated = json!({"bytes": long.len(), "limit": 16 * 1024 * 1024});
    assert_eq!(post(&gateway, long.clone()).await.text().await.unwrap(), "{}");
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    assert_eq!(report["request"], json!({"truncated": truncated, "messages": []}));
    assert_eq!(post(&gateway, "{}").await.text().await.unwrap(), long);
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    assert_eq!(report["response"], json!({"messages": [], "truncated": truncated, "choices": []}));
}

#[tokio::test]
async fn without_an_upstream_the_gateway_answers_502() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let collector = Collector::start().await;
    let gateway = Gateway::between(address, collector.address).await;
    let response = post(&gateway, CHAT).await;
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().contains("OpenAI cannot be reached"));
    let (status, counts) = gateway.stop().await;
    assert!(
        status.success() && counts.contains("1 captured = 0 delivered") && counts.contains("refused 1"),
        "{counts}"
    );
}

#[tokio::test]
async fn an_upstream_that_closes_after_the_head_breaks_the_answer_for_the_client_too() {
    let upstream =
        raw_upstream("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
            .await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream, collector.address).await;
    let response = post(&gateway, CHAT).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.expect_err("the body is cut off");
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    assert_eq!(report["response"], json!({"contentType": "application/json", "bytes": 1, "choices": []}));
    let (_, counts) = gateway.stop().await;
    assert!(counts.contains("1 captured = 1 delivered"), "{counts}");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_sent_reaches_the_client() {
    let upstream = raw_upstream(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    )
    .await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream, collector.address).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: 1000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 429");
    drop(stream);
    let (status, counts) = gateway.stop().await;
    assert!(
        status.success() && counts.contains("1 captured = 0 delivered") && counts.contains("refused 1"),
        "{counts}"
    );
}

/// A stream of one event that never ends.
fn endless() -> Response {
    let event = Bytes::from("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n");
    let body = stream::iter([Ok::<_, Infallible>(event)]).chain(stream::pending());
    Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(body)).unwrap()
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_is_reported_with_what_had_arrived() {
    let upstream = Upstream::start(|_, _| endless()).await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let mut response = post(&gateway, CHAT).await;
    response.chunk().await.unwrap().unwrap();
    drop(response);
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    let choice = &report["response"]["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("Hel"), &Value::Null));
    let (_, counts) = gateway.stop().await;
    assert!(counts.contains("1 captured = 1 delivered"), "{counts}");
}

#[tokio::test]
async fn an_exchange_that_outlasts_the_grace_is_cut_off_and_reported() {
    let upstream = Upstream::start(|_, _| endless()).await;
    let mut collector = Collector::start().await;
    let variables = [("GRACE_SECONDS", "0"), ("RECONIFY_METADATA", "1")];
    let gateway = Gateway::between_with(upstream.address, collector.address, &variables).await;
    let mut response = post(&gateway, CHAT).await;
    response.chunk().await.unwrap().unwrap();
    let (status, counts) = gateway.stop().await;
    assert!(status.success() && counts.contains("1 captured = 1 delivered"), "{counts}");
    response.chunk().await.expect_err("the gateway is gone");
    let report: Value = serde_json::from_str(&collector.post().await.1).unwrap();
    // The runtime drops the connections of the caller and of the provider in any order.
    let outcome = report["metadata"]["outcome"].as_str().unwrap();
    assert!(["abandoned", "interrupted"].contains(&outcome), "{outcome}");
    assert_eq!(report["response"]["choices"][0]["message"]["content"], "Hel");
    assert_eq!(collector.rest(), 0);
}

#[tokio::test]
async fn a_hanging_collector_does_not_keep_the_gateway_from_ending() {
    let upstream = Upstream::start(|_, _| ok_json()).await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::between(upstream.address, hanging.local_addr().unwrap()).await;
    for _ in 0..3 {
        assert_eq!(post(&gateway, CHAT).await.text().await.unwrap(), ANSWER);
    }
    let (status, counts) = gateway.stop().await;
    assert!(status.success());
    assert!(
        counts.contains(
            "3 captured = 0 delivered + 0 rejected + 3 dropped (shutdown 3) + 0 withheld + 0 pending + 0 spooled"
        ),
        "{counts}"
    );
}

#[tokio::test]
async fn the_gateway_serves_its_counts_and_its_health_and_neither_forwards_nor_captures_them() {
    let upstream = Upstream::start(|_, _| ok_json()).await;
    let mut collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    assert_eq!(post(&gateway, CHAT).await.text().await.unwrap(), ANSWER);
    collector.post().await;
    let get = async |path| client().get(gateway.url(path)).send().await.unwrap();
    let metrics = get("/metrics").await;
    assert_eq!(metrics.status(), 200);
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4");
    let text = metrics.text().await.unwrap();
    assert!(text.contains("# TYPE reconify_captured_total counter\nreconify_captured_total 1\n"), "{text}");
    let health = get("/healthz").await;
    assert_eq!((health.status().as_u16(), health.text().await.unwrap().as_str()), (200, "ok"));
    let (status, counts) = gateway.stop().await;
    assert!(status.success() && counts.contains("1 captured = 1 delivered"), "{counts}");
    assert_eq!(upstream.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_settings_are_said_at_the_start() {
    for (variables, expected) in [
        (vec![("RECONIFY_ENDPOINT", "http://127.0.0.1:9/track")], "RECONIFY_APP_KEY is not set"),
        (vec![("RECONIFY_APP_KEY", "a")], "RECONIFY_API_KEY is not set"),
        (vec![("RECONIFY_SESSION_TIMEOUT", "soon")], "RECONIFY_SESSION_TIMEOUT is"),
        (
            vec![("OPENAI_BASE_URL", "nonsense")],
            "OPENAI_BASE_URL is \"nonsense\", which is not an http(s) URL",
        ),
        (vec![("COHERE_BASE_URL", "ftp://c")], "use one like https://api.cohere.com"),
        (
            vec![("OLLAMA_BASE_URL", "http://127.0.0.1:114340")],
            "OLLAMA_BASE_URL is \"http://127.0.0.1:114340\", which is not an http(s) URL",
        ),
        (vec![("OPENAI_BASE_URL", "http://:80")], "use one like https://api.openai.com/v1"),
        (vec![("OPENAI_BASE_URL", "http://localhost:/v1")], "use one like https://api.openai.com/v1"),
        (
            vec![("OPENAI_BASE_URL", "http://user:s3cret@localhost:80")],
            "OPENAI_BASE_URL is \"…@localhost:80\", which is not an http(s) URL without user and query",
        ),
        (vec![("LISTEN_ADDR", "nowhere")], "LISTEN_ADDR is"),
        (vec![("COLLECTOR_ADDR", "nowhere")], "): use a free one like 127.0.0.1:0"),
        (vec![("RUST_LOG", "debgu")], "\"debgu\" is no level): use one like info,tower_reconify=debug"),
        (vec![("RUST_LOG", "info,hyper=loud")], "RUST_LOG is \"info,hyper=loud\", which is no filter"),
        (vec![("LOG_FORMAT", "xml")], "LOG_FORMAT is \"xml\", which is no format: use text or json"),
        (vec![("MAX_EXCHANGES", "many")], "MAX_EXCHANGES is \"many\" (invalid digit found in string)"),
        (vec![("GRACE_SECONDS", "3s")], "use a whole number like 3"),
        (vec![("IDLE_SECONDS", "0")], "IDLE_SECONDS is 0, which would let nothing pass: use one like 600"),
    ] {
        let output = support::example::run("gateway", &variables).await;
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && errors.contains(expected), "{expected}: {errors}");
        assert!(!errors.contains("s3cret"), "{errors}");
    }
}
