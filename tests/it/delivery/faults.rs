//! Promises 3, 4, 7 and 8 while the collector breaks off, answers nonsense, never ends, or points elsewhere.

use std::net::SocketAddr;

use axum::http::Response;
use futures_util::future::join_all;
use http_body_util::BodyExt;
use reqwest::redirect::Policy;
use tower_reconify::{Config, ConfigBuilder, ReconifyLayer, Stats};

use crate::support::scripted::{Scripted, Step};
use crate::support::{ANSWER, PATIENCE, assert_accounted, begin_with, chat, json, post};

const APP_KEY: &str = "APP-of-the-test";
const API_KEY: &str = "API-of-the-test";
const CONTENT: &str = "content of the test";
const GIB: u64 = 1 << 30;

fn to(address: SocketAddr) -> ConfigBuilder {
    Config::builder(APP_KEY, API_KEY).endpoint(format!("http://{address}/track"))
}

fn layer_to(address: SocketAddr) -> ReconifyLayer {
    ReconifyLayer::new(to(address).build().unwrap())
}

/// One exchange through the layer, with `more` additional bytes in its request.
async fn exchange(layer: &ReconifyLayer, more: usize) {
    let padding = "x".repeat(more);
    let asked = format!(r#"{{"messages":[{{"role":"user","content":"{CONTENT}"}}],"padding":"{padding}"}}"#);
    complete(begin_with(layer, post("/v1/chat/completions", asked), json(ANSWER)).await).await;
}

async fn complete(
    response: Response<impl axum::body::HttpBody<Data = axum::body::Bytes, Error: std::fmt::Debug>>,
) {
    response.into_body().collect().await.unwrap();
}

/// The counts, once everything is settled.
async fn settled(layer: &ReconifyLayer) -> Stats {
    assert_eq!(layer.reporter().flush(PATIENCE).await.pending, 0);
    let stats = layer.reporter().stats();
    assert_accounted(&stats);
    assert_eq!((stats.pending, stats.sending, stats.bytes_held), (0, 0, 0));
    stats
}

fn answer(status: u16, headers: &str, body: &str) -> Step {
    let length = body.len();
    Step::Say(format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes())
}

fn ok() -> Vec<Step> {
    vec![Step::Take, answer(200, "", r#"{"status":"ok"}"#)]
}

fn says(text: impl Into<Vec<u8>>) -> Step {
    Step::Say(text.into())
}

#[tokio::test]
async fn an_attempt_that_breaks_off_is_followed_by_another_and_leaves_nothing() {
    const LARGE: usize = 4 << 20;
    let long_head = [b"HTTP/1.1 200 OK\r\nx-long: ", &[b'x'; 1 << 20][..], b"\r\n\r\n"].concat();
    let many_heads = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-many: x\r\n".repeat(10_000));
    let faults = [
        (vec![Step::Reset], 0),
        (vec![Step::Close], 0),
        (vec![Step::TakeSome(100), Step::Reset], LARGE),
        (vec![Step::TakeSome(1 << 20), Step::Reset], LARGE),
        (vec![Step::TakeSome(1 << 20), Step::Close], LARGE),
        (vec![Step::Take, Step::Reset], 0),
        (vec![Step::Take, Step::Close], LARGE),
        (vec![Step::Take, says("HTTP/1.1 200"), Step::Close], 0),
        (vec![Step::Take, says("HTTP/1.1 200 OK\r\ncontent-le"), Step::Reset], 0),
        (vec![Step::Take, says([0, 255, 13, 10, 13, 10, 0, 1])], 0),
        (vec![Step::Take, says("SSH-2.0-OpenSSH_9.9\r\n")], 0),
        (vec![Step::Take, says([21, 3, 3, 0, 2, 2, 70])], 0),
        (vec![Step::Take, says("HTTP/1.1 999999 OK\r\n\r\n")], 0),
        (vec![Step::Take, says("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n")], 0),
        (vec![Step::Take, says("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n")], 0),
        (vec![Step::Take, Step::Say(long_head)], 0),
        (vec![Step::Take, says(many_heads)], 0),
        (vec![Step::Take, Step::Repeat(b"x-endless: x\r\n".repeat(1_000), GIB)], 0),
        (vec![Step::Take, Step::Repeat(vec![b'x'; 64 * 1024], GIB)], 0),
    ];
    // All at once: each attempt that fails has a pause before the next.
    join_all(faults.into_iter().map(async |(fault, more)| {
        let shown = format!("{fault:.200?}");
        let is_ended_by_server = matches!(fault.last(), Some(Step::Reset | Step::Close));
        let is_taken = fault.contains(&Step::Take);
        let mut collector = Scripted::playing([fault, ok()]).await;
        let layer = layer_to(collector.address);
        exchange(&layer, more).await;
        let first = if is_taken { Some(collector.taken().await) } else { None };
        if !is_ended_by_server {
            let said = collector.gone().await;
            assert!(said < GIB / 16, "{said} {shown}");
        }
        let stats = settled(&layer).await;
        assert_eq!((stats.delivered, stats.retried), (1, 1), "{shown}");
        let mut again = collector.taken().await;
        while first.is_none() && !again.ends_with(b"}") {
            again = collector.taken().await;
        }
        assert!(first.is_none_or(|first| first == again), "every attempt is the same");
        assert!(layer.reporter().shutdown(PATIENCE).await.is_complete());
        collector.gone().await;
    }))
    .await;
}

#[tokio::test]
async fn interim_responses_are_skipped() {
    let before = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n".repeat(100);
    let mut script = ok();
    script.insert(1, says(before));
    let mut collector = Scripted::playing([script]).await;
    let layer = layer_to(collector.address);
    exchange(&layer, 0).await;
    let stats = settled(&layer).await;
    assert_eq!((stats.delivered, stats.retried), (1, 0));
    layer.reporter().shutdown(PATIENCE).await;
    collector.gone().await;
}

#[tokio::test]
async fn only_the_beginning_of_an_endless_response_is_read() {
    let spaces = Step::Repeat(vec![b' '; 64 * 1024], 2 * GIB);
    let chunk = Step::Repeat([b"10000\r\n", &[b' '; 64 * 1024][..], b"\r\n"].concat(), 2 * GIB);
    for (status, delivered, rejected, retried) in
        [(200, 1, 0, 0), (400, 0, 1, 0), (302, 0, 1, 0), (500, 1, 0, 1)]
    {
        for (headers, body) in [
            (format!("content-length: {GIB}\r\n"), spaces.clone()),
            (String::new(), spaces.clone()),
            ("transfer-encoding: chunked\r\n".to_owned(), chunk.clone()),
        ] {
            let head = says(format!("HTTP/1.1 {status} X\r\n{headers}\r\n"));
            let mut collector = Scripted::playing([vec![Step::Take, head, body], ok()]).await;
            let layer = layer_to(collector.address);
            exchange(&layer, 0).await;
            // While the layer lives: it is the end of the attempt that closes the connection.
            let said = collector.gone().await;
            assert!(said < GIB / 16, "{said}");
            let stats = settled(&layer).await;
            assert_eq!((stats.delivered, stats.rejected, stats.retried), (delivered, rejected, retried));
        }
    }
}

#[tokio::test]
async fn no_compression_is_requested_from_the_collector_and_none_is_decoded() {
    // As gzip: {"status":"error"}
    const ERROR: [u8; 38] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 46, 73, 44, 41, 45, 86, 178, 82, 74, 45, 42, 202, 47,
        82, 170, 5, 0, 78, 24, 167, 137, 18, 0, 0, 0,
    ];
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", ERROR.len());
    let mut collector = Scripted::playing([vec![Step::Take, says(head), says(ERROR)]]).await;
    let layer = layer_to(collector.address);
    exchange(&layer, 0).await;
    let post = String::from_utf8(collector.taken().await).unwrap().to_lowercase();
    assert!(!post.contains("accept-encoding"), "{post}");
    assert_eq!(settled(&layer).await.delivered, 1, "a success that cannot be read is one");
}

#[tokio::test]
async fn a_status_rejects_the_report_or_is_tried_again() {
    // All at once: each that passes has a pause before it is tried again.
    let statuses = [
        [408, 425, 429, 500, 502, 503, 504].map(|status| (status, true)).as_slice(),
        [506, 507, 508, 511, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530, 599]
            .map(|status| (status, true))
            .as_slice(),
        [501, 505, 400, 402, 404, 405, 406, 407, 409, 410, 411, 413, 414, 415, 418, 421, 422, 431, 451]
            .map(|status| (status, false))
            .as_slice(),
        [300, 301, 302, 303, 304, 305, 307, 308].map(|status| (status, false)).as_slice(),
    ]
    .concat();
    join_all(statuses.into_iter().map(async |(status, passes)| {
        let mut collector = Scripted::playing([
            vec![Step::Take, answer(status, "connection: close\r\n", "no"), Step::Close],
            ok(),
        ])
        .await;
        let layer = layer_to(collector.address);
        exchange(&layer, 0).await;
        collector.taken().await;
        let stats = settled(&layer).await;
        let expected = if passes { (1, 0, 1) } else { (0, 1, 0) };
        assert_eq!((stats.delivered, stats.rejected, stats.retried), expected, "{status}");
    }))
    .await;
}

/// A collector that points to another server, which takes anything.
async fn pointing_elsewhere(status: u16) -> (Scripted, Scripted) {
    let elsewhere = Scripted::playing([ok()]).await;
    let location = format!("location: http://{}/elsewhere\r\n", elsewhere.address);
    let collector = Scripted::playing([vec![Step::Take, answer(status, &location, "")]]).await;
    (collector, elsewhere)
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [300, 301, 302, 303, 307, 308] {
        let (mut collector, mut elsewhere) = pointing_elsewhere(status).await;
        let layer = layer_to(collector.address);
        exchange(&layer, 0).await;
        collector.taken().await;
        let stats = settled(&layer).await;
        assert_eq!((stats.rejected, stats.retried), (1, 0));
        assert!(elsewhere.is_untouched(), "{status}");
    }
}

#[tokio::test]
async fn a_redirect_that_the_applications_client_follows_gets_neither_keys_nor_reports() {
    for (status, is_followed) in
        [(300, false), (301, true), (302, true), (303, true), (307, false), (308, false)]
    {
        let (mut collector, mut elsewhere) = pointing_elsewhere(status).await;
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::limited(5)).build().unwrap();
        let layer = ReconifyLayer::with_client(to(collector.address).build().unwrap(), client);
        exchange(&layer, 0).await;
        let post = String::from_utf8(collector.taken().await).unwrap();
        assert!([APP_KEY, API_KEY, CONTENT].iter().all(|text| post.contains(text)), "{post}");
        let stats = settled(&layer).await;
        assert_eq!((stats.delivered, stats.rejected, stats.retried), (0, 1, 0), "{status}");
        if is_followed {
            let asked = String::from_utf8(elsewhere.taken().await).unwrap();
            assert!(
                asked.starts_with("GET /elsewhere HTTP/1.1\r\n") && asked.ends_with("\r\n\r\n"),
                "{asked}"
            );
            assert!([APP_KEY, API_KEY, CONTENT].iter().all(|text| !asked.contains(text)), "{asked}");
        } else {
            assert!(elsewhere.is_untouched(), "{status}");
        }
    }
}

#[tokio::test]
async fn a_redirect_loop_rejects_the_report() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("location: http://{}/track\r\n", listener.local_addr().unwrap());
    let again = answer(302, &location, "");
    let collector = Scripted::on(listener, [vec![[Step::Take, again]; 9].concat()]);
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::limited(5)).build().unwrap();
    let layer = ReconifyLayer::with_client(to(collector.address).build().unwrap(), client);
    exchange(&layer, 0).await;
    let stats = settled(&layer).await;
    assert_eq!((stats.rejected, stats.retried), (1, 0));
}

#[tokio::test]
async fn the_applications_client_posts_everything_and_the_headers_stay_the_layers() {
    const IMAGE: &str = r#"{"created":1,"data":[{"b64_json":"aGVsbG8="}]}"#;
    let proxy = [ok(), ok()].concat();
    let mut proxy = Scripted::playing([proxy]).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in [
        ("x-mine", "mine"),
        ("idempotency-key", "mine"),
        ("content-type", "text/mine"),
        ("user-agent", "mine"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::all(format!("http://{}", proxy.address)).unwrap())
        .default_headers(headers)
        .timeout(std::time::Duration::from_nanos(1))
        .build()
        .unwrap();
    let layer = ReconifyLayer::with_client(to(nobody).build().unwrap(), client);
    complete(begin_with(&layer, post("/v1/images/generations", "{}"), json(IMAGE)).await).await;
    for path in ["track", "upload"] {
        let post = String::from_utf8(proxy.taken().await).unwrap();
        assert!(post.starts_with(&format!("POST http://{nobody}/{path} HTTP/1.1\r\n")), "{post}");
        assert!(post.contains("x-mine: mine\r\n") && post.matches("mine\r\n").count() == 1, "{post}");
        assert!(
            post.contains("user-agent: tower-reconify/") && post.contains("content-type: application/json")
        );
        assert!(post.contains(APP_KEY) && post.contains(API_KEY));
    }
    assert_eq!(settled(&layer).await.delivered, 1);
    assert!(layer.reporter().shutdown(PATIENCE).await.is_complete());
    proxy.gone().await;
}

#[tokio::test]
async fn a_disabled_layer_has_no_use_for_a_client() {
    let layer = ReconifyLayer::with_client(Config::disabled(), reqwest::Client::new());
    complete(begin_with(&layer, chat(), json(ANSWER)).await).await;
    assert_eq!(layer.reporter().stats(), Stats::default());
}

#[tokio::test]
async fn an_endpoint_with_user_info_and_a_query_gets_the_report_with_basic_authentication() {
    for client in [None, Some(reqwest::Client::builder().no_proxy().build().unwrap())] {
        let mut collector = Scripted::playing([ok()]).await;
        let endpoint = format!("http://jane:secret@{}/a%20b/track?q=a b&{{}}=%7B|\"#part", collector.address);
        let config = Config::builder(APP_KEY, API_KEY).endpoint(endpoint).build().unwrap();
        let layer = match client {
            Some(client) => ReconifyLayer::with_client(config, client),
            None => ReconifyLayer::new(config),
        };
        exchange(&layer, 0).await;
        let post = String::from_utf8(collector.taken().await).unwrap();
        assert!(post.contains("authorization: Basic amFuZTpzZWNyZXQ=\r\n"), "{post}");
        assert_eq!(settled(&layer).await.delivered, 1);
    }
}
