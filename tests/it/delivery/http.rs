//! The default transport, against a server with scripted answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response, Uri};
use futures_util::future::join_all;
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{Config, ReconifyLayer, RequestBody, Session, Stats, User};

use crate::support::gateway::serve;
use crate::support::{self, ANSWER, CHAT, PATIENCE, assert_accounted, chat};

type Post = (Uri, HeaderMap, Bytes);

/// A collector that gives these answers, in turn, and then the last of them for ever.
struct Collector {
    address: SocketAddr,
    posts: mpsc::UnboundedReceiver<Post>,
}

impl Collector {
    async fn answering(answers: impl IntoIterator<Item = fn() -> Response<Body>>) -> Self {
        let (sender, posts) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let app = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            sender.send((uri, headers, body)).unwrap();
            let mut answers = answers.lock().unwrap();
            let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
            answer.unwrap()()
        });
        Self { address: serve(app).await, posts }
    }

    fn layer(&self) -> ReconifyLayer {
        let endpoint = format!("http://{}/track", self.address);
        ReconifyLayer::new(Config::builder("APP \"key\"", "API-key").endpoint(endpoint).build().unwrap())
    }

    async fn post(&mut self) -> Post {
        tokio::time::timeout(PATIENCE, self.posts.recv()).await.expect("a post in time").unwrap()
    }

    fn has_more(&mut self) -> bool {
        self.posts.try_recv().is_ok()
    }
}

fn ok() -> Response<Body> {
    Response::new(Body::from(r#"{"status":"ok"}"#))
}

fn status(status: u16) -> Response<Body> {
    Response::builder().status(status).body(Body::from("<html>no")).unwrap()
}

async fn exchange(layer: &ReconifyLayer) {
    let inner = service_fn(async |request: Request<RequestBody<Body>>| {
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(support::json(ANSWER))
    });
    let mut request = chat();
    request.extensions_mut().insert(User::from_email("jane@example.com").authenticated(false));
    request.extensions_mut().insert(Session::new("S1"));
    let (parts, body) = layer.layer(inner).oneshot(request).await.unwrap().into_parts();
    assert!(parts.status.is_success());
    body.collect().await.unwrap();
}

async fn settled(layer: &ReconifyLayer) -> Stats {
    assert_eq!(layer.reporter().flush(PATIENCE).await.pending, 0);
    let stats = layer.reporter().stats();
    assert_accounted(&stats);
    stats
}

#[tokio::test]
async fn a_report_is_posted_as_the_wire_contract_says() {
    let mut collector = Collector::answering([ok as fn() -> _]).await;
    let layer = collector.layer();
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    exchange(&layer).await;
    let (uri, headers, body) = collector.post().await;
    assert_eq!((uri.path(), &headers["content-type"]), ("/track", &"application/json".parse().unwrap()));
    assert!(headers["user-agent"].to_str().unwrap().starts_with("tower-reconify/"));
    assert_eq!(headers["idempotency-key"].len(), 36);
    assert!(!headers.contains_key("authorization"));

    let mut report: Value = serde_json::from_slice(&body).unwrap();
    let timestamps = report.as_object_mut().unwrap().remove("timestamps").unwrap();
    let (requested, responded) =
        (timestamps["request"].as_u64().unwrap(), timestamps["response"].as_u64().unwrap());
    assert!(requested <= responded && u128::from(requested) + 1_000 >= before, "{before} {timestamps}");
    assert_eq!(
        report,
        json!({
            "reconify": {"format": "openai", "type": "chat", "version": "1.0.0", "appKey": "APP \"key\"", "apiKey": "API-key"},
            "session": "S1", "sessionTimeout": null,
            "user": {"email": "jane@example.com", "isAuthenticated": 0},
            "request": serde_json::from_str::<Value>(CHAT).unwrap(),
            "response": serde_json::from_str::<Value>(ANSWER).unwrap(),
        })
    );
    assert_eq!(settled(&layer).await.delivered, 1);
}

#[tokio::test]
async fn a_temporary_failure_is_retried_with_the_same_bytes_and_id() {
    let answers = [|| status(503), || status(429), || status(500)] as [fn() -> _; 3];
    // All at once: each attempt that fails has a pause before the next.
    join_all(answers.map(async |answer| {
        let mut collector = Collector::answering([answer, ok]).await;
        let layer = collector.layer();
        exchange(&layer).await;
        let (_, headers, body) = collector.post().await;
        let (_, again, same) = collector.post().await;
        assert_eq!((&again["idempotency-key"], &same), (&headers["idempotency-key"], &body));
        let stats = settled(&layer).await;
        assert_eq!((stats.delivered, stats.retried), (1, 1));
    }))
    .await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let config = Config::builder("a", "b").endpoint(format!("http://{address}/track")).build().unwrap();
    let layer = ReconifyLayer::new(config);
    exchange(&layer).await;
    let reporter = layer.reporter();
    tokio::time::timeout(PATIENCE, async {
        while reporter.stats().retried == 0 {
            reporter.flush(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is tried again");
    assert_eq!(reporter.stats().pending, 1);
}

#[tokio::test]
async fn a_final_answer_rejects_the_report_at_once() {
    for answer in [
        || status(400),
        || status(404),
        || Response::new(Body::from(r#"{"status":"error"}"#)),
        || Response::new(Body::from(r#"{"error":"unknown app"}"#)),
    ] as [fn() -> _; 4]
    {
        let mut collector = Collector::answering([answer]).await;
        let layer = collector.layer();
        exchange(&layer).await;
        let stats = settled(&layer).await;
        assert_eq!((stats.rejected, stats.retried), (1, 0));
        collector.post().await;
        assert!(!collector.has_more());
    }
}

#[tokio::test]
async fn keys_that_are_not_accepted_keep_the_reports_and_send_no_more() {
    for code in [401, 403] {
        let refused = [|| status(401), || status(403)][usize::from(code == 403)];
        let mut collector = Collector::answering([refused as fn() -> _]).await;
        let layer = collector.layer();
        exchange(&layer).await;
        collector.post().await;
        let reporter = layer.reporter();
        tokio::time::timeout(PATIENCE, async {
            while reporter.stats().last_failure.is_none() {
                reporter.flush(std::time::Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the answer is understood");
        exchange(&layer).await;
        reporter.flush(std::time::Duration::from_millis(100)).await;
        let stats = reporter.stats();
        assert_eq!(stats.last_failure, Some(tower_reconify::FailureClass::Unauthorized));
        assert_eq!((stats.pending, stats.rejected), (2, 0));
        assert!(!collector.has_more());
    }
}

#[tokio::test]
async fn a_success_with_an_empty_or_endless_body_is_a_success() {
    let endless = || {
        let block = Bytes::from(vec![b' '; 16 * 1024]);
        Response::new(Body::from_stream(stream::repeat(Ok::<_, Infallible>(block))))
    };
    for answer in [|| status(200), || Response::builder().status(204).body(Body::empty()).unwrap(), endless]
        as [fn() -> _; 3]
    {
        let collector = Collector::answering([answer]).await;
        let layer = collector.layer();
        exchange(&layer).await;
        assert_eq!(settled(&layer).await.delivered, 1);
    }
}

#[tokio::test]
async fn deliveries_share_their_connections() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let service =
                hyper::service::service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
                    request.into_body().collect().await.unwrap();
                    Ok::<_, Infallible>(hyper::Response::new(http_body_util::Full::new(Bytes::from("{}"))))
                });
            let io = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        }
    });
    let config = Config::builder("a", "b").endpoint(format!("http://{address}/track")).build().unwrap();
    let layer = ReconifyLayer::new(config);
    for _ in 0..10 {
        for _ in 0..50 {
            exchange(&layer).await;
        }
        settled(&layer).await;
    }
    assert_eq!(layer.reporter().stats().delivered, 500);
    assert!(connections.load(std::sync::atomic::Ordering::SeqCst) <= 32);
}
