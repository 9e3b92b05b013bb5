//! Promise 1 for what is more than a request and an answer: HEAD, CONNECT, Upgrade, Expect, and answers without a body.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt};
use tower_reconify::{Reconify, WithholdReason};

use crate::support::gateway::serve;
use crate::support::{CHAT, Observed, PATIENCE, at_rest, observed};

/// What a caller says, and what it waits for.
#[derive(Clone, Debug)]
enum Talk {
    Say(String),
    /// Until this was said to it.
    Hear(&'static str),
    /// Ends its own side.
    End,
}

/// Everything that is said to a caller, to the end of the connection, but for the time of day.
async fn heard(address: SocketAddr, talk: &[Talk]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let mut heard = Vec::new();
    for step in talk {
        match step {
            Talk::Say(text) => connection.write_all(text.as_bytes()).await.unwrap(),
            Talk::Hear(text) => {
                while !String::from_utf8_lossy(&heard).contains(text) {
                    let read = tokio::time::timeout(PATIENCE, connection.read_buf(&mut heard)).await;
                    assert_ne!(read.expect("in time").unwrap(), 0, "{}", String::from_utf8_lossy(&heard));
                }
            }
            Talk::End => connection.shutdown().await.unwrap(),
        }
    }
    tokio::time::timeout(PATIENCE, connection.read_to_end(&mut heard)).await.expect("in time").unwrap();
    let heard = String::from_utf8(heard).unwrap();
    heard.lines().filter(|line| !line.starts_with("date: ")).map(|line| format!("{line}\n")).collect()
}

/// Answers everything: takes tunnels and upgrades and sends back what comes, and tells of other requests.
async fn app(mut request: Request) -> Response<Body> {
    let is_tunnel = request.method() == Method::CONNECT;
    if is_tunnel || request.headers().contains_key(UPGRADE) {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move { echo(TokioIo::new(upgraded.await.unwrap())).await });
        if is_tunnel {
            return StatusCode::OK.into_response();
        }
        let headers = [(CONNECTION, "upgrade"), (UPGRADE, "echo")];
        return (StatusCode::SWITCHING_PROTOCOLS, headers).into_response();
    }
    if let Some(status) = request.headers().get("x-answer-at-once") {
        let status: u16 = status.to_str().unwrap().parse().unwrap();
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    format!("{} {:?} {:?}", parts.method, body.to_bytes(), trailers).into_response()
}

/// Sends back what comes, with a mark, and then ends.
async fn echo(mut connection: impl AsyncRead + AsyncWrite + Unpin) {
    let mut heard = [0; 100];
    loop {
        let read = connection.read(&mut heard).await.unwrap();
        if read == 0 {
            break;
        }
        connection.write_all(b"you said ").await.unwrap();
        connection.write_all(&heard[..read]).await.unwrap();
    }
    connection.write_all(b"bye").await.unwrap();
    connection.shutdown().await.unwrap();
}

fn router() -> Router {
    Router::new().fallback(any(app))
}

/// Asserts that a caller sees the same with and without the layer. Returns that, and the layer's counts.
async fn same(talk: &[Talk]) -> (String, Observed) {
    let observed = observed();
    let bare = heard(serve(router()).await, talk).await;
    let layered = heard(serve(router().layer(observed.layer.clone())).await, talk).await;
    assert_eq!(layered, bare);
    (bare, observed)
}

fn say(text: impl Into<String>) -> Talk {
    Talk::Say(text.into())
}

#[tokio::test]
async fn a_head_is_answered_as_without_the_layer() {
    for path in ["/v1/chat/completions", "/other"] {
        let talk = say(format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
        let (heard, observed) = same(&[talk]).await;
        assert!(heard.starts_with("HTTP/1.1 200 OK\n") && heard.contains("content-length: 13\n"), "{heard}");
        assert_eq!(at_rest(&observed.layer).await.captured, 0);
    }
}

#[tokio::test]
async fn answers_that_have_no_body_are_as_without_the_layer() {
    for status in [204, 205, 304, 200, 404] {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-answer-at-once: {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{CHAT}",
            CHAT.len()
        );
        let (heard, observed) = same(&[say(head)]).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
        let stats = at_rest(&observed.layer).await;
        assert_eq!(stats.captured, 1);
    }
}

#[tokio::test]
async fn a_tunnel_passes_bytes_in_both_directions() {
    let talk = [
        say("CONNECT example.test:443 HTTP/1.1\r\nhost: example.test:443\r\n\r\n"),
        Talk::Hear("\r\n\r\n"),
        say("one"),
        Talk::Hear("you said one"),
        say("two"),
        Talk::Hear("you said two"),
        Talk::End,
    ];
    let (heard, observed) = same(&talk).await;
    assert!(heard.ends_with("you said oneyou said twobye\n"), "{heard}");
    assert_eq!(at_rest(&observed.layer).await.captured, 0);
}

/// A route that is captured, too: such an answer is no success, and the interaction ends with it.
#[tokio::test]
async fn an_upgraded_connection_passes_bytes_in_both_directions() {
    for (method, captured) in [("GET", 0), ("POST", 1)] {
        let talk = [
            say(format!(
                "{method} /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"
            )),
            Talk::Hear("\r\n\r\n"),
            say("one"),
            Talk::Hear("you said one"),
            say("two"),
            Talk::Hear("you said two"),
            Talk::End,
        ];
        let (heard, observed) = same(&talk).await;
        assert!(
            heard.starts_with("HTTP/1.1 101 ") && heard.ends_with("you said oneyou said twobye\n"),
            "{heard}"
        );
        let stats = at_rest(&observed.layer).await;
        assert_eq!((stats.captured, stats.withheld(WithholdReason::Refused)), (captured, captured));
    }
}

fn expecting(more: &str) -> Talk {
    let length = CHAT.len();
    say(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\n{more}content-length: {length}\r\n\r\n"
    ))
}

#[tokio::test]
async fn a_caller_that_waits_to_be_asked_for_its_body_is_asked() {
    let talk = [expecting(""), Talk::Hear("HTTP/1.1 100 Continue\r\n\r\n"), say(CHAT)];
    let (heard, mut observed) = same(&talk).await;
    assert!(heard.contains("\n\nHTTP/1.1 200 OK\n") && heard.contains("Tell a cat joke"), "{heard}");
    assert_eq!(observed.report().await["request"], serde_json::from_str::<serde_json::Value>(CHAT).unwrap());
    assert_eq!(at_rest(&observed.layer).await.captured, 1);
}

#[tokio::test]
async fn a_caller_that_waits_to_be_asked_is_not_asked_for_what_nobody_reads() {
    let (heard, observed) = same(&[expecting("x-answer-at-once: 401\r\n")]).await;
    assert!(heard.starts_with("HTTP/1.1 401 "), "{heard}");
    let stats = at_rest(&observed.layer).await;
    assert_eq!((stats.captured, stats.withheld(WithholdReason::Refused)), (1, 1));
}

#[tokio::test]
async fn trailers_of_a_request_arrive() {
    let talk = say(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\nx-sum: 5\r\n\r\n",
    );
    let (heard, observed) = same(&[talk]).await;
    assert!(heard.contains(r#"Some({"x-sum": "5"})"#), "{heard}");
    assert_eq!(at_rest(&observed.layer).await.captured, 1);
}

/// A client asks for an upgrade through the layer.
#[tokio::test]
async fn a_client_gets_its_upgraded_connection() {
    let observed = observed();
    let address = serve(router()).await;
    for method in [Method::GET, Method::POST] {
        let request = || {
            axum::http::Request::builder()
                .method(&method)
                .uri(format!("http://{address}/v1/chat/completions"))
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "echo")
                .body(Full::new(Bytes::new()))
                .unwrap()
        };
        let bare: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let response = bare.request(request()).await.unwrap();
        let headers = response.headers().clone();
        let bare = talk(TokioIo::new(hyper::upgrade::on(response).await.unwrap())).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = observed.layer.layer(client).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(undated(response.headers().clone()), undated(headers));
        let layered = talk(TokioIo::new(hyper::upgrade::on(response).await.unwrap())).await;
        assert_eq!(layered, bare);
    }
    assert_refused_once(observed).await;
}

#[tokio::test]
async fn a_reqwest_client_gets_its_upgraded_connection() {
    let observed = observed();
    let address = serve(router()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for method in [Method::GET, Method::POST] {
        let request = || {
            let request = client.request(method.clone(), format!("http://{address}/v1/chat/completions"));
            request.header(CONNECTION, "upgrade").header(UPGRADE, "echo").build().unwrap()
        };
        let bare = talk(client.execute(request()).await.unwrap().upgrade().await.unwrap()).await;
        let service: Reconify<_> = observed.layer.layer(client.clone());
        let response = service.oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(talk(response.upgrade().await.unwrap()).await, bare);
    }
    assert_refused_once(observed).await;
}

async fn talk(mut connection: impl AsyncRead + AsyncWrite + Unpin) -> String {
    connection.write_all(b"hello").await.unwrap();
    connection.shutdown().await.unwrap();
    let mut heard = String::new();
    connection.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "you said hellobye");
    heard
}

fn undated(mut headers: HeaderMap<HeaderValue>) -> HeaderMap<HeaderValue> {
    headers.remove("date");
    headers
}

async fn assert_refused_once(observed: Observed) {
    let stats = at_rest(&observed.layer).await;
    assert_eq!((stats.captured, stats.withheld(WithholdReason::Refused)), (1, 1));
}
