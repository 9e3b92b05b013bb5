//! Promise 3: the memory held for any client or server is charged to the budget.
//! A binary of its own, because its global allocator counts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::convert::Infallible;

use async_compression::tokio::bufread::GzipEncoder;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, Request, Response, header};
use http_body_util::{BodyExt, Full};
use peak_alloc::PeakAlloc;
use support::{ANSWER, CHAT, PATIENCE, begin_with, chat, post};
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, MutexGuard};
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{
    Config, ConfigBuilder, DropReason, Media, ReconifyLayer, Report, RequestBody, Session, Tags, User,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: they share the memory that is counted.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

const MIB: usize = 1024 * 1024;

/// What the test's own runtime, the worker and the store of used records may have more than before.
const SLACK: usize = 8 * MIB;

/// A layer whose collector never answers.
fn hanging() -> ReconifyLayer {
    let config = Config::builder("a", "b").metadata(true).build().unwrap();
    ReconifyLayer::with_transport(
        config,
        service_fn(|_: Report| std::future::pending::<Result<(), Infallible>>()),
    )
}

/// One exchange, from its beginning to its end.
async fn exchange(layer: &ReconifyLayer, request: Request<Body>, response: Response<Body>) {
    begin_with(layer, request, response).await.into_body().collect().await.unwrap();
}

/// The growth of memory after a number of exchanges, once the worker is idle, and the budget's charge.
async fn growth(
    layer: &ReconifyLayer,
    exchanges: usize,
    enough: usize,
    mut next: impl AsyncFnMut(),
) -> (usize, usize) {
    let before = MEMORY.current_usage();
    for _ in 0..exchanges {
        next().await;
    }
    let grown = || MEMORY.current_usage().saturating_sub(before);
    let settled = async {
        while grown() > enough {
            tokio::task::yield_now().await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, settled).await;
    (grown(), usize::try_from(layer.reporter().stats().bytes_held).unwrap())
}

#[tokio::test]
async fn a_long_header_takes_no_memory_beside_the_budget() {
    let _alone = alone().await;
    let long = "z".repeat(300_000);
    let form = format!("multipart/form-data; boundary={long}");
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, &long),
        (header::CONTENT_TYPE, &form),
        (header::CONTENT_ENCODING, &long),
        (HeaderName::from_static("x-request-id"), &long),
    ];
    for (name, value) in headers {
        let layer = hanging();
        let (grown, held) = growth(&layer, 200, SLACK, async || {
            let (mut request, mut response) = (chat(), support::json(ANSWER));
            request.headers_mut().insert(&name, value.parse().unwrap());
            response.headers_mut().insert(&name, value.parse().unwrap());
            exchange(&layer, request, response).await;
        })
        .await;
        assert!(grown <= SLACK && held <= SLACK, "{name}: {grown} bytes, {held} of them in the budget");
        assert_eq!(layer.reporter().stats().pending, 200);
    }
}

#[tokio::test]
async fn an_identity_is_charged_by_its_length_wherever_it_comes_from() {
    let _alone = alone().await;
    let long = || "z".repeat(300_000);
    let inserts: [fn(&mut Request<Body>, String); 3] = [
        |request, long| _ = request.extensions_mut().insert(User::from_email(long)),
        |request, long| _ = request.extensions_mut().insert(Session::new(long)),
        |request, long| _ = request.extensions_mut().insert(Tags::new().with("a", long)),
    ];
    for insert in inserts {
        let layer = hanging();
        let (grown, held) = growth(&layer, 400, 64 * MIB + SLACK, async || {
            let mut request = chat();
            insert(&mut request, long());
            exchange(&layer, request, support::json(ANSWER)).await;
        })
        .await;
        assert!(grown <= 64 * MIB + SLACK && held <= 64 * MIB, "{grown} bytes, {held} of them in the budget");
        let stats = layer.reporter().stats();
        assert!(stats.dropped(DropReason::TooManyBytes) > 100 && stats.pending > 100, "{stats}");
    }
    // Said by a handler.
    let layer = hanging();
    let (grown, held) = growth(&layer, 400, 64 * MIB + SLACK, async || {
        let service = layer.layer(service_fn(async |request: Request<RequestBody<Body>>| {
            let slot = request.extensions().get::<tower_reconify::IdentitySlot>().unwrap();
            slot.set_user(User::new(long()));
            Ok::<_, Infallible>(support::json(ANSWER))
        }));
        service.oneshot(chat()).await.unwrap().into_body().collect().await.unwrap();
    })
    .await;
    assert!(grown <= 64 * MIB + SLACK && held <= 64 * MIB, "{grown} bytes, {held} of them in the budget");
    assert!(layer.reporter().stats().pending > 100);
}

#[tokio::test]
async fn an_exchange_that_is_held_open_is_charged_what_it_holds() {
    let _alone = alone().await;
    const OPEN: usize = 5_000;
    let layer = hanging();
    let silent = layer.layer(service_fn(|_: Request<RequestBody<Full<Bytes>>>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    let mut held = Vec::with_capacity(OPEN);
    let (grown, charged) = growth(&layer, OPEN, usize::MAX, async || {
        let (head, _) = chat().into_parts();
        let response = silent.clone().oneshot(Request::from_parts(head, Full::default())).await.unwrap();
        held.push(response.into_body());
    })
    .await;
    println!("{} bytes each, {} charged", grown / OPEN, charged / OPEN);
    assert!(grown <= charged, "{grown} bytes, {charged} of them in the budget");
}

/// As from a connection: a body of 8.2 kB is a slice of a buffer with all that came with it.
#[tokio::test]
async fn what_waits_for_the_collector_keeps_no_read_buffer() {
    let _alone = alone().await;
    let layer = hanging();
    let enough = 32 * MIB;
    let (grown, held) = growth(&layer, 1_000, enough, async || {
        let body = || Bytes::from(vec![b' '; 128 * 1024]).slice(..8_200);
        let request = chat().map(|_| body().into());
        exchange(&layer, request, support::json(body())).await;
    })
    .await;
    assert!(grown <= enough, "{grown} bytes, {held} of them in the budget");
    assert_eq!(layer.reporter().stats().pending, 1_000);
}

/// A text in gzip.
async fn gzip(text: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    GzipEncoder::new(text.as_bytes()).read_to_end(&mut encoded).await.unwrap();
    encoded
}

/// A layer whose collector takes everything.
fn taking(config: ConfigBuilder) -> ReconifyLayer {
    ReconifyLayer::with_transport(
        config.build().unwrap(),
        service_fn(|_: Report| std::future::ready(Ok::<_, Infallible>(()))),
    )
}

/// What reading a text takes at the most, as the request to an endpoint and as its answer, in gzip both times.
async fn peak(config: ConfigBuilder, path: &str, text: &str) -> [usize; 2] {
    let body = gzip(text).await;
    let layer = taking(config);
    let mut peaks = [0; 2];
    for (is_answer, peak) in [false, true].into_iter().zip(&mut peaks) {
        let (mut request, mut response) = (post(path, CHAT), support::json(ANSWER));
        let (headers, place) = match is_answer {
            true => (response.headers_mut(), None),
            false => (request.headers_mut(), Some(Body::from(body.clone()))),
        };
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        match place {
            Some(body) => *request.body_mut() = body,
            None => *response.body_mut() = Body::from(body.clone()),
        }
        *peak = peak_of(&layer, request, response).await;
    }
    peaks
}

/// What reading an exchange takes at the most.
async fn peak_of(layer: &ReconifyLayer, request: Request<Body>, response: Response<Body>) -> usize {
    let path = request.uri().to_string();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    exchange(layer, request, response).await;
    let flushed = layer.reporter().flush(PATIENCE).await;
    assert_eq!((flushed.delivered, flushed.pending), (1, 0), "{path}");
    MEMORY.peak_usage() - before
}

/// How long the bodies are that become many parts.
const BODY: usize = 4 * MIB;

/// What 250,000 nodes may take, while lists of them grow.
const NODES: usize = 20 * MIB;

/// A list of this element, of about the limit's length, between two texts.
fn list(before: &str, element: &str, after: &str) -> String {
    let count = (BODY - before.len() - after.len()) / (element.len() + 1);
    [before, &vec![element; count].join(","), after].concat()
}

#[tokio::test]
async fn a_body_of_millions_of_parts_takes_little_more_memory_than_a_text_of_its_length() {
    let _alone = alone().await;
    let config = || Config::builder("a", "b");
    let text = format!(r#"{{"model":"m","input":"{}"}}"#, "a".repeat(BODY - 100));
    let harmless = peak(config(), "/v1/responses", &text).await;
    println!("harmless: {harmless:?}");
    let harmless = harmless[0].max(harmless[1]);
    assert!(harmless < 4 * BODY, "{harmless}");
    let elide = || config().media(Media::Elide);
    let event = "data: {\"choices\":[{\"delta\":{\"x\":[{}]}}]}\n\n";
    for (config, path, text) in [
        (config(), "/v1/responses", list(r#"{"input":["#, "0", "]}")),
        (config(), "/v1/responses", list(r#"{"input":[{"content":["#, "{}", "]}]}")),
        (config(), "/v1/responses", list(r#"{"output":["#, r#"{"type":"message"}"#, "]}")),
        (
            config(),
            "/v1/responses",
            list(r#"{"output":[{"type":"message","content":[{"text":"","logprobs":["#, "0", "]}]}]}"),
        ),
        (config(), "/v1/images/generations", list(r#"{"data":["#, "{}", "]}")),
        (
            config(),
            "/v1/chat/completions",
            list("data: {\"choices\":[{\"delta\":{\"content\":[", "{}", "]}}]}\n\n"),
        ),
        (
            config(),
            "/v1/chat/completions",
            list("data: {\"choices\":[{\"delta\":{}}],\"x\":[", "[]", "]}\n\n"),
        ),
        (config(), "/v1/chat/completions", event.repeat(BODY / event.len())),
        (config(), "/v1/chat/completions", list(r#"{"messages":["#, "NaN", "]}")),
        (config(), "/v1/chat/completions", list("data: {\"choices\":[", "NaN", "]}\n\n")),
        (elide(), "/v1/chat/completions", list(r#"{"input_audio":{"#, r#""data":"QQ==""#, "}}")),
        (
            elide(),
            "/v1/chat/completions",
            list(r#"{"messages":["#, r#"{"data":"QQ==","type":"base64"}"#, "]}"),
        ),
    ] {
        let peaks = peak(config, path, &text).await;
        let start = &text[..40];
        println!("{path} {start}: {peaks:?}");
        for peak in peaks {
            assert!(peak <= harmless / 4 * 5, "{path} {start}: {peak} bytes, {harmless} for a text");
        }
    }
}

#[tokio::test]
async fn a_hook_that_asks_for_trees_of_millions_of_parts_takes_no_more_than_for_a_text() {
    let _alone = alone().await;
    let config = || {
        Config::builder("a", "b").before_send(|mut interaction| {
            interaction.request_mut();
            interaction.response_mut();
            Some(interaction)
        })
    };
    for text in [list(r#"{"messages":["#, "{}", "]}"), list(r#"{"messages":["#, r#"{"a":[[[]]]}"#, "]}")] {
        let peaks = peak(config(), "/v1/chat/completions", &text).await;
        println!("{}: {peaks:?}", &text[..30]);
        assert!(peaks.iter().all(|peak| *peak < 4 * BODY + NODES), "{peaks:?}");
    }
}

#[tokio::test]
async fn a_form_takes_no_more_memory_than_a_text_of_its_length_whatever_is_in_it() {
    let _alone = alone().await;
    let layer = taking(Config::builder("a", "b"));
    let parameters = "; a=b".repeat(BODY / 5);
    for part in [
        format!("\r\n{}", "\u{1}".repeat(BODY)),
        format!("\r\n{}", "\"".repeat(BODY)),
        format!("content-type: text/plain{parameters}\r\n\r\nx"),
    ] {
        let start = &part[..5];
        let form = format!("--b\r\ncontent-disposition: form-data; name=\"a\"\r\n{part}\r\n--b--\r\n");
        let mut request = post("/v1/images/edits", form);
        let form = "multipart/form-data; boundary=b".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        let peak = peak_of(&layer, request, support::json("{}")).await;
        println!("{start:?}: {peak}");
        assert!(peak < 4 * BODY, "{start:?}: {peak} bytes");
    }
}

#[tokio::test]
async fn a_refusal_that_is_a_list_of_millions_takes_no_more_memory_than_a_text_of_its_length() {
    let _alone = alone().await;
    let layer = taking(Config::builder("a", "b").report_failures(true));
    for element in ["0", "{}", "[]"] {
        let mut response = support::json(list("[", element, "]"));
        *response.status_mut() = axum::http::StatusCode::BAD_REQUEST;
        let peak = peak_of(&layer, chat(), response).await;
        println!("{element}: {peak}");
        assert!(peak < 4 * BODY, "{element}: {peak} bytes");
    }
}
