//! The example gateway as a process: request ids, logs, limits and readiness.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::support::gateway::{Collector, Gateway, Upstream};
use crate::support::{self, ANSWER, CHAT};

/// A gateway with further variables, in front of an upstream that answers each request.
async fn gateway(more: &[(&str, &str)]) -> (Upstream, Collector, Gateway) {
    let upstream = Upstream::start(|_, _| support::json(ANSWER)).await;
    let collector = Collector::start().await;
    let gateway = Gateway::between_with(upstream.address, collector.address, more).await;
    (upstream, collector, gateway)
}

fn post(gateway: &Gateway, path: &str) -> reqwest::RequestBuilder {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(gateway.url(path)).header("content-type", "application/json")
}

async fn chat(gateway: &Gateway) -> reqwest::Response {
    post(gateway, "/v1/chat/completions").body(CHAT).send().await.unwrap()
}

async fn get(gateway: &Gateway, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(gateway.url(path)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[track_caller]
fn assert_problem(text: &str, told: &str) {
    let error = &serde_json::from_str::<Value>(text).unwrap()["error"];
    assert!(error["message"].as_str().unwrap().contains(told), "{error}");
    assert_eq!(error["type"], "gateway_error");
}

#[tokio::test]
async fn a_request_without_an_id_is_given_one_that_the_provider_and_the_client_see() {
    let (upstream, _collector, mut gateway) = gateway(&[]).await;
    let response = chat(&gateway).await;
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(upstream.requests.lock().unwrap()[0].0.headers["x-request-id"], id);
    let line = gateway.logged("answered").await;
    assert!(line.contains(&id) && line.contains("status=200"), "{line}");
}

#[tokio::test]
async fn a_plain_id_of_the_client_is_kept_and_a_strange_one_replaced() {
    let (upstream, _collector, gateway) = gateway(&[]).await;
    let sent = async |ids: &[&str]| {
        let mut request = post(&gateway, "/v1/chat/completions").body(CHAT);
        for id in ids {
            request = request.header("x-request-id", *id);
        }
        let response = request.send().await.unwrap();
        let (parts, _) = upstream.requests.lock().unwrap().pop().unwrap();
        let seen: Vec<_> = parts.headers.get_all("x-request-id").iter().cloned().collect();
        assert_eq!(seen, [response.headers()["x-request-id"].clone()]);
        seen[0].to_str().unwrap().to_owned()
    };
    for id in ["req_1", "Root=1-67891233-abcdef012345678912345678", &"x".repeat(128)] {
        assert_eq!(sent(&[id]).await, id);
    }
    for ids in [&["a b"][..], &["a\tb"], &["<script>"], &[&"x".repeat(129)], &[""], &["a", "b"]] {
        let id = sent(ids).await;
        assert!(id.len() == 36 && !ids.contains(&id.as_str()), "{ids:?}: {id}");
    }
}

#[tokio::test]
async fn a_query_is_never_logged() {
    let (upstream, _collector, gateway) = gateway(&[("RUST_LOG", "trace")]).await;
    let response = post(&gateway, "/v1/chat/completions?key=of-the-caller").body(CHAT).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), ANSWER);
    assert_eq!(upstream.requests.lock().unwrap()[0].0.uri.query(), Some("key=of-the-caller"));
    post(&gateway, "/v1/unknown?key=of-the-caller").body("{}").send().await.unwrap();
    post(&gateway, "/elsewhere?key=of-the-caller").body("{}").send().await.unwrap();
    let (printed, logged) = gateway.stop_and_tell().await;
    assert!(logged.iter().any(|line| line.contains("path=\"/v1/chat/completions\"")), "{logged:?}");
    assert!(printed.iter().chain(&logged).all(|line| !line.contains("of-the-caller")), "{logged:?}");
}

#[tokio::test]
async fn every_line_of_a_json_log_is_an_object_and_has_the_fields_of_the_exchange() {
    let (_upstream, _collector, gateway) = gateway(&[("LOG_FORMAT", "json")]).await;
    chat(&gateway).await.text().await.unwrap();
    let (printed, logged) = gateway.stop_and_tell().await;
    let lines: Vec<Value> = logged.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let line = lines.iter().find(|line| line["message"] == "answered").expect("the exchange is logged");
    assert_eq!((line["status"].as_u64(), line["level"].as_str()), (Some(200), Some("INFO")));
    assert!(line["latency_ms"].is_u64(), "{line}");
    let span = &line["span"];
    assert_eq!(
        (span["method"].as_str(), span["path"].as_str()),
        (Some("POST"), Some("/v1/chat/completions"))
    );
    assert!(span["request_id"].is_string(), "{line}");
    assert!(printed.iter().any(|line| line.starts_with("final counts: ")), "{printed:?}");
}

#[tokio::test]
async fn a_request_with_too_long_a_body_is_answered_413_before_it_is_sent() {
    let (upstream, _collector, gateway) = gateway(&[("MAX_BODY_BYTES", "10")]).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\
                expect: 100-continue\r\ncontent-length: 11\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_problem(answer.split_once("\r\n\r\n").unwrap().1, "larger than MAX_BODY_BYTES");
    assert!(upstream.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_whose_length_is_unknown_is_answered_413_when_it_is_too_long() {
    let (_upstream, _collector, gateway) = gateway(&[("MAX_BODY_BYTES", "10")]).await;
    for (pieces, status) in [(["12345", "67890"], 200), (["12345", "678901"], 413)] {
        let body = reqwest::Body::wrap_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
        let response = post(&gateway, "/v1/chat/completions").body(body).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn an_exchange_too_many_is_answered_503_until_another_one_has_ended() {
    let (end, ended) = watch::channel(false);
    let upstream = Upstream::start(move |_, _| {
        let mut ended = ended.clone();
        let last = stream::once(async move {
            ended.wait_for(|ended| *ended).await.unwrap();
            Ok(Bytes::from("data: [DONE]\n\n"))
        });
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from("data: {}\n\n"))]);
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(first.chain(last)))
            .unwrap()
    })
    .await;
    let collector = Collector::start().await;
    let gateway = Gateway::between_with(upstream.address, collector.address, &[("MAX_EXCHANGES", "1")]).await;
    let mut streamed = chat(&gateway).await;
    assert_eq!(streamed.chunk().await.unwrap().unwrap(), "data: {}\n\n");
    let refused = chat(&gateway).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_problem(&refused.text().await.unwrap(), "the gateway is busy");
    assert_eq!(get(&gateway, "/readyz").await.0, 200, "the limit is not one for probes");
    end.send(true).unwrap();
    assert_eq!(streamed.text().await.unwrap(), "data: [DONE]\n\n");
    assert_eq!(chat(&gateway).await.status(), 200);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_answered_for_with_504() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = Collector::start().await;
    let variables = [("ANSWER_SECONDS", "1")];
    let gateway = Gateway::between_with(silent.local_addr().unwrap(), collector.address, &variables).await;
    let response = chat(&gateway).await;
    assert_eq!(response.status(), 504);
    assert_problem(&response.text().await.unwrap(), "OpenAI did not answer in time");
}

#[tokio::test]
async fn a_gateway_that_is_stopping_is_not_ready_and_still_answers_until_it_is_drained() {
    let (_upstream, _collector, mut gateway) = gateway(&[("DRAIN_SECONDS", "3600")]).await;
    assert_eq!(get(&gateway, "/readyz").await, (200, "ready".to_owned()));
    gateway.terminate();
    gateway.line_with("stopping").await;
    assert_eq!(get(&gateway, "/readyz").await, (503, "stopping".to_owned()));
    assert_eq!(get(&gateway, "/healthz").await, (200, "ok".to_owned()));
    assert_eq!(chat(&gateway).await.status(), 200);
}
