//! How fast reports are delivered, beside a bare loop with the same HTTP client: reports of 2 KiB to a collector on this
//! machine. `cargo bench --manifest-path benches/comparisons/Cargo.toml --bench delivery`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tower_reconify::{Config, Interaction, InteractionKind, Limits, ReconifyLayer, Reporter, User};
use tower_reconify_comparisons::rounds::median;
use tower_reconify_instructions::frames::json;

const REPORTS: usize = 4_000;
const ROUNDS: usize = 15;

fn main() {
    let collector = collector();
    let config = Config::builder("app-key", "api-key").endpoint(format!("http://{collector}/track"));
    let config = config
        .limits(Limits { items: 1_000_000, bytes: 1 << 30, ..Limits::default() })
        .build()
        .expect("a configuration");
    let reporter = ReconifyLayer::new(config).reporter();
    // The worker has one thread; so have those that it is compared with.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let report = Bytes::from(payload());
    let mut ratios = [const { Vec::new() }; 2];
    let mut rates = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let ours = ours(&runtime, &reporter);
        let bare = [16, 32].map(|at_once| bare(&runtime, collector, &report, at_once));
        if round == 0 {
            continue;
        }
        for (rates, time) in rates.iter_mut().zip([ours, bare[0], bare[1]]) {
            rates.push(REPORTS as f64 / time.as_secs_f64());
        }
        for (ratios, bare) in ratios.iter_mut().zip(bare) {
            ratios.push(bare.as_secs_f64() / ours.as_secs_f64());
        }
    }
    let [ours, few, many] = rates.map(median);
    println!(
        "reports of {} bytes a second: {ours:.0}; a bare loop, 16 at once: {few:.0}; 32 at once: {many:.0}",
        report.len()
    );
    let [few, many] = ratios.map(median);
    println!(
        "against the bare loop, median of {ROUNDS} rounds: {few:.2} (16 at once), {many:.2} (32 at once)"
    );
}

/// From the first report to the answer to the last.
fn ours(runtime: &Runtime, reporter: &Reporter) -> Duration {
    let before = reporter.stats().delivered;
    let body = RawValue::from_string(String::from_utf8_lossy(&json(900)).into_owned()).expect("JSON");
    // What is posted by the bare loop is there beforehand, too.
    let interaction = || Interaction::new(InteractionKind::Chat, &body, &body).expect("an interaction");
    let interactions: Vec<_> = (0..REPORTS).map(|_| interaction().user(User::new("user-42"))).collect();
    let started = Instant::now();
    for interaction in interactions {
        reporter.report(interaction);
    }
    let flushed = runtime.block_on(reporter.flush(Duration::from_secs(60)));
    let took = started.elapsed();
    assert_eq!((flushed.pending, reporter.stats().delivered - before), (0, REPORTS as u64));
    took
}

/// The same number of requests, by the same client, at the same concurrency.
fn bare(runtime: &Runtime, collector: SocketAddr, report: &Bytes, at_once: usize) -> Duration {
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for task in 0..at_once {
            let (client, report) = (client.clone(), report.clone());
            let url = format!("http://{collector}/track");
            tasks.spawn(async move {
                for _ in (task..REPORTS).step_by(at_once) {
                    let request = client.post(&url).header("content-type", "application/json");
                    let answer = request.body(report.clone()).send().await.expect("an answer");
                    assert!(answer.bytes().await.is_ok());
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic");
        }
        started.elapsed()
    })
}

/// What is posted, of the length of a report.
fn payload() -> String {
    let body = json(900);
    let body = String::from_utf8_lossy(&body);
    format!(
        r#"{{"reconify":{{"format":"openai","type":"chat","version":"1.0.0","appKey":"app-key","apiKey":"api-key"}},"timestamps":{{"request":1689703471457,"response":1689703474393}},"session":null,"sessionTimeout":null,"user":{{"userId":"user-42"}},"request":{body},"response":{body}}}"#
    )
}

/// A collector that reads reports and accepts them, on a thread of its own.
fn collector() -> SocketAddr {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            sender.send(listener.local_addr().expect("an address")).expect("somebody waits");
            let app = Router::new().route(
                "/track",
                post(async |body: Body| {
                    let _ = body.collect().await;
                    Ok::<_, Infallible>(())
                }),
            );
            axum::serve(listener, app).await.expect("it goes on");
        });
    });
    address.recv().expect("it is there")
}
