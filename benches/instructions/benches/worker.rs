//! What the worker needs from the bytes of an exchange to the payload, in instructions: run under callgrind by
//! `.ci/worker-instructions`, beside a plain implementation.
//!
//! `worker SCENARIO VARIANT EXCHANGES` makes the payloads of EXCHANGES exchanges. Callgrind counts inside
//! `worker::plain::report`, or of the function of the worker that does the same. Without arguments it does nothing:
//! times mean nothing here.

#![allow(clippy::panic, reason = "a measurement that is not one must not look like one")]

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use futures_executor::block_on;
use serde_json::Value;
use tower::service_fn;
use tower_reconify::{Config, Limits, ReconifyLayer, Report};
use tower_reconify_instructions::worker::exchanges::{Api, Exchange, exchange};
use tower_reconify_instructions::worker::{passing, plain};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, variant, exchanges] = &arguments[..] else { return };
    let exchange = exchange(name).unwrap_or_else(|| panic!("{name} is no scenario"));
    let exchanges = exchanges.parse().unwrap_or_else(|_| panic!("{exchanges} is no number"));
    match variant.as_str() {
        "plain" => through_values(&exchange, exchanges),
        "reconify" => through_the_worker(&exchange, exchanges),
        _ => panic!("{variant} is none of plain, reconify"),
    }
}

fn through_values(exchange: &Exchange, exchanges: u64) {
    let (request, response) = (exchange.request.concat(), exchange.response.concat());
    for _ in 0..exchanges {
        let report = plain::report(&request, &response, exchange.api, exchange.is_stream);
        black_box(report.unwrap_or_else(|error| panic!("{error}")));
    }
}

fn through_the_worker(exchange: &Exchange, exchanges: u64) {
    let config = Config::builder("app", "key").limits(Limits { bytes: 1 << 30, ..Limits::default() }).build();
    let (sender, reports) = std::sync::mpsc::channel();
    let sink = service_fn(move |report: Report| {
        let _ = sender.send(report);
        std::future::ready(Ok::<_, Infallible>(()))
    });
    let layer = ReconifyLayer::with_transport(config.unwrap_or_else(|error| panic!("{error}")), sink);
    let flush = || block_on(layer.reporter().flush(Duration::from_secs(600)));
    for number in 1..=exchanges {
        passing::pass(&layer, exchange);
        // No more than the budget holds.
        if number % 32 == 0 {
            flush();
        }
    }
    flush();
    let stats = layer.reporter().stats();
    assert_eq!(stats.delivered, exchanges, "what was measured was reported: {stats}");
    let plain = plain::report(
        &exchange.request.concat(),
        &exchange.response.concat(),
        exchange.api,
        exchange.is_stream,
    );
    let plain = parsed(&plain.unwrap_or_else(|error| panic!("{error}")));
    for report in reports.try_iter() {
        let report = parsed(report.json().as_bytes());
        let (content, usage) = match exchange.api {
            Api::OpenAi => ("/response/choices/0/message/content", "/response/usage"),
            Api::Anthropic => ("/response/content", "/response/usage"),
            Api::Gemini => ("/response/candidates", "/response/usageMetadata"),
        };
        for place in ["/request", content, usage, "/reconify/format", "/user", "/session"] {
            assert_eq!(report.pointer(place), plain.pointer(place), "the same is reported as {place}");
        }
    }
}

fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_else(|error| panic!("{error}"))
}
