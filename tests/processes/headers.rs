//! The example gateway as a process: the headers that it passes on (RFC 9110, 7.6).

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::gateway::{Collector, Gateway, Upstream, raw_upstream};
use crate::support::{self, ANSWER, CHAT};

const PATH: &str = "/v1/chat/completions";

/// What the gateway writes in answer to these bytes, up to the end of the connection.
async fn exchange(gateway: &Gateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn answered(upstream: &'static str, headers: &str) -> String {
    let collector = Collector::start().await;
    let gateway = Gateway::between(raw_upstream(upstream).await, collector.address).await;
    exchange(&gateway, &format!("GET {PATH} HTTP/1.1\r\nhost: gateway\r\n{headers}\r\n\r\n")).await
}

#[tokio::test]
async fn hop_by_hop_headers_of_an_answer_are_removed_and_all_others_kept() {
    let answer = answered(
        "HTTP/1.1 200 OK\r\nconnection: x-private, keep-alive\r\nx-private: 1\r\nkeep-alive: timeout=5\r\n\
         proxy-authenticate: Basic\r\nupgrade: h2c\r\nx-forwarded-for: 10.0.0.1\r\ncontent-length: 2\r\n\r\n{}",
        "connection: close",
    )
    .await;
    for removed in ["x-private", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert!(!answer.contains(removed), "{removed}: {answer}");
    }
    assert!(answer.contains("\r\nx-forwarded-for: 10.0.0.1\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
}

#[tokio::test]
async fn a_header_that_is_named_beside_bytes_that_are_no_text_is_removed_too() {
    let upstream = Upstream::start(|_, _| {
        let mut response = support::json(ANSWER);
        response.headers_mut().insert("connection", HeaderValue::from_bytes(b"x-secret, \xff").unwrap());
        response.headers_mut().insert("x-secret", HeaderValue::from_static("1"));
        response
    })
    .await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let request = format!(
        "GET {PATH} HTTP/1.1\r\nhost: gateway\r\nconnection: x-secret, \u{ff}\r\nx-secret: 1\r\nconnection: close\r\n\r\n"
    );
    let answer = exchange(&gateway, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("x-secret"), "{answer}");
    assert!(!upstream.requests.lock().unwrap()[0].0.headers.contains_key("x-secret"));
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_passed_on() {
    let answer = answered(
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "connection: close",
    )
    .await;
    assert!(!answer.contains("content-length"), "{answer}");
    assert_eq!(answer.matches("transfer-encoding: chunked").count(), 1, "{answer}");
    assert!(answer.ends_with("\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_with_a_transfer_encoding_other_than_chunked_is_not_passed_on() {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    for (coding, status) in
        [("Chunked", 200), ("gzip, chunked", 501), ("gzip\r\ntransfer-encoding: chunked", 501)]
    {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ntransfer-encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        );
        let answer = exchange(&gateway, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{coding}: {answer}");
    }
    assert_eq!(upstream.requests.lock().unwrap().len(), 1);
    for upstream in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n{}",
    ] {
        let answer = answered(upstream, "connection: close").await;
        assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("transfer-encoding\""), "{answer}");
    }
}

#[tokio::test]
async fn trailers_reach_a_client_that_takes_them() {
    let upstream = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n\
                    2\r\n{}\r\n0\r\nx-checksum: 1\r\n\r\n";
    let answer = answered(upstream, "te: trailers\r\nconnection: te, close").await;
    assert!(answer.ends_with("\r\n\r\n2\r\n{}\r\n0\r\nx-checksum: 1\r\n\r\n"), "{answer}");
    let answer = answered(upstream, "connection: close").await;
    assert!(answer.ends_with("\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_answer_of_http_1_0_is_passed_on_as_http_1_1() {
    let answer = answered("HTTP/1.0 200 OK\r\n\r\n{}", "connection: close").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("2\r\n{}\r\n0\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_that_waits_before_it_sends_the_body_is_told_to_continue() {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        CHAT.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(CHAT.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(ANSWER), "{answer}");
    assert_eq!(upstream.requests.lock().unwrap().pop().unwrap().1, CHAT);
}

#[tokio::test]
async fn a_websocket_and_a_tunnel_are_refused_and_another_upgrade_is_ignored() {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    for (protocol, status) in [("websocket", "501"), ("h2c", "200")] {
        let request = format!(
            "GET /v1/realtime HTTP/1.1\r\nhost: gateway\r\nconnection: upgrade, close\r\nupgrade: {protocol}\r\n\r\n"
        );
        let answer = exchange(&gateway, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{protocol}: {answer}");
    }
    for target in ["/v1/realtime", "api.openai.com:443"] {
        let tunnel = format!("CONNECT {target} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
        let answer = exchange(&gateway, &tunnel).await;
        assert!(answer.starts_with("HTTP/1.1 501"), "{target}: {answer}");
    }
    let requests = upstream.requests.lock().unwrap();
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].0.headers.contains_key("upgrade"));
}

#[tokio::test]
async fn a_provider_that_switches_protocols_unasked_is_answered_for_with_502() {
    let upstream = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    for asked in ["x-unrelated: 1", "connection: upgrade\r\nupgrade: h2c"] {
        let answer = answered(upstream, &format!("{asked}\r\nconnection: close")).await;
        assert!(
            answer.starts_with("HTTP/1.1 502") && answer.contains("OpenAI switched protocols"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_request_of_http_2_is_sent_as_http_1_1_with_its_cookies_joined() {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let collector = Collector::start().await;
    let gateway = Gateway::between(upstream.address, collector.address).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = Request::builder()
        .method(Method::POST)
        .uri(gateway.url(PATH))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("via", "1.1 first")
        .header("te", "trailers");
    let response = client.request(request.body(Body::from(CHAT)).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let (parts, body) = upstream.requests.lock().unwrap().pop().unwrap();
    let all =
        |name: &str| -> Vec<_> { parts.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect() };
    assert_eq!(body, CHAT);
    assert_eq!(all("cookie"), ["a=1; b=2"]);
    assert_eq!(all("via"), ["1.1 first", "HTTP/2.0 reconify-gateway"]);
    assert_eq!(all("te"), ["trailers"]);
    assert_eq!(all("host"), [upstream.address.to_string()]);
    assert_eq!(all("content-length"), [CHAT.len().to_string()]);
}
