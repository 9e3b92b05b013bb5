//! How fast reports of 2 to 10 KiB are published through the whole layer, and how fast a backlog is
//! forwarded: `.ci/nats bench`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking"
)]

#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../tests/faults/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use reconify_nats::{Forwarder, NatsTransport, Servers, StreamSettings};
use serde_json::json;
use tower_reconify::{Config, Interaction, InteractionKind, Limits, Reporter};

use self::support::collector::Collector;
use self::support::publisher::config;

const REPORTS: u64 = 20_000;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let servers = support::server::Servers::start().await;
    let (list, settings) = (servers.list(), servers.settings());
    let nodes = settings.replicas;
    // Makes the streams.
    let reporter = Reporter::new(config().build().unwrap());
    Forwarder::new(list.clone(), settings.clone(), reporter).run(support::pause(1_000)).await.unwrap();
    let (mut published, mut forwarded) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        published.push(publish(list.clone()).await);
        forwarded.push(forward(list.clone(), settings.clone()).await);
    }
    println!("nodes: {nodes}, reports: {REPORTS}, rounds: {ROUNDS}");
    println!("published through the layer: {}/s", median(published));
    println!("forwarded from a backlog: {}/s", median(forwarded));
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2].round()
}

async fn publish(servers: Servers) -> f64 {
    let limits = Limits { items: 1_000_000, bytes: 1 << 30, ..Limits::default() };
    let config = config().limits(limits).build().unwrap();
    let reporter = Reporter::with_transport(config, NatsTransport::new(servers));
    let interactions: Vec<_> = (0..REPORTS)
        .map(|number| {
            let content = "x".repeat(usize::try_from(1_700 + number * 997 % 8_192).unwrap());
            let request = json!({ "messages": [{ "role": "user", "content": content }] });
            Interaction::new(InteractionKind::Chat, &request, &json!({ "choices": [] })).unwrap()
        })
        .collect();
    let begins = Instant::now();
    for interaction in interactions {
        reporter.report(interaction);
    }
    reporter.flush(Duration::from_secs(120)).await;
    let measured = rate(begins);
    assert_eq!(reporter.stats().delivered, REPORTS, "{}", reporter.stats());
    measured
}

async fn forward(servers: Servers, settings: StreamSettings) -> f64 {
    let collector = Collector::start().await;
    let config = Config::builder("app-key", "api-key").endpoint(collector.endpoint()).build().unwrap();
    let begins = Instant::now();
    let mut measured = 0.0;
    // The stop that follows is not measured.
    let all = async {
        while (collector.delivered() as u64) < REPORTS {
            support::pause(5).await;
        }
        measured = rate(begins);
    };
    Forwarder::new(servers, settings, Reporter::new(config)).run(all).await.unwrap();
    measured
}

fn rate(begins: Instant) -> f64 {
    REPORTS as f64 / begins.elapsed().as_secs_f64()
}
