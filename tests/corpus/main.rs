//! Recorded exchanges, replayed through the gateway and the layer. They are not part of this repository: `RECONIFY_CORPUS` names
//! their folder, and `CONTRIBUTING.md` says what is in it. A binary of its own for that reason.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod compare;
mod corrections;
mod cuttings;
mod providers;
mod recorded;
#[path = "../support/mod.rs"]
mod support;
mod translated;

use std::sync::Arc;

use compare::compare;
use recorded::{Recorded, read};
use serde_json::Value;
use support::gateway::{Collector, Gateway, Upstream};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_CORPUS names their folder"]
async fn recorded_exchanges_pass_unchanged_and_are_reported_as_they_were() {
    let corpus = std::env::var("RECONIFY_CORPUS").expect("RECONIFY_CORPUS is set");
    let exchanges = read(std::path::Path::new(&corpus));
    let served = Arc::clone(&exchanges);
    let upstream =
        Upstream::start(move |request, _| served[request.headers["x-replay"].to_str().unwrap()].answer())
            .await;
    let mut collector = Collector::start().await;
    let gateway =
        Gateway::between_with(upstream.address, collector.address, &[("RECONIFY_CAPTURE", "all")]).await;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();

    let (mut compared, mut withheld, mut passed) = (0, 0, 0);
    let mut failures = Vec::new();
    let is_compared = |exchange: &&Recorded| exchange.kind().is_some() && exchange.meta["status"] == 200;
    corrections::assert_used(exchanges.values().filter(is_compared));
    for exchange in exchanges.values() {
        let method = exchange.meta["method"].as_str().unwrap_or("POST").parse().unwrap();
        let request = client
            .request(method, gateway.url(&exchange.path()))
            .header("x-replay", &exchange.name)
            .header("x-user-id", &exchange.name)
            .header(
                "content-type",
                exchange.meta["request_content_type"].as_str().unwrap_or("application/json"),
            )
            .body(exchange.request.clone());
        let response = request.send().await.unwrap();
        assert_eq!(u64::from(response.status().as_u16()), exchange.meta["status"], "{}", exchange.name);
        let is_success = response.status().is_success();
        assert_eq!(response.bytes().await.unwrap(), exchange.response, "{}", exchange.name);
        let sent = upstream.requests.lock().unwrap().pop().unwrap();
        assert_eq!(sent.1, exchange.request, "{}", exchange.name);
        assert!(!sent.0.headers.contains_key("x-user-id"));
        if exchange.kind().is_none() {
            passed += 1;
            continue;
        }
        if !is_success {
            withheld += 1;
            continue;
        }
        let (_, report) = collector.post().await;
        if let Err(difference) = compare(exchange, &report) {
            failures.push(format!("{}: {difference}", exchange.name));
        }
        for element in exchange.images() {
            let upload: Value = serde_json::from_str(&collector.post().await.1).unwrap();
            assert_eq!(upload["reconify"]["type"], "image-upload", "{}", exchange.name);
            assert_eq!(upload["upload"]["data"], element, "{}", exchange.name);
        }
        compared += 1;
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    println!(
        "{compared} recorded exchanges reported as expected, {withheld} refusals withheld, {passed} others passed through"
    );
    assert!(compared >= 60, "{compared} is not enough");
    let (status, counts) = gateway.stop().await;
    assert!(status.success());
    assert!(counts.contains(&format!("{} captured = {compared} delivered + 0 rejected + 0 dropped + {withheld} withheld (refused {withheld}) + 0 pending + 0 spooled", compared + withheld)), "{counts}");
}
