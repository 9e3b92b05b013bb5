//! Recorded exchanges of the providers other than OpenAI: `RECONIFY_PROVIDERS_CORPUS` names their folder.

mod compare;
mod cuttings;
mod exceptions;
mod recorded;
mod request;

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use tower_reconify::{Config, User};

use crate::support::gateway::{API_KEY, APP_KEY, Collector, Gateway, Upstream};
use crate::support::{exchange, observed_with};

const BASE_URLS: [&str; 7] = [
    "ANTHROPIC_BASE_URL",
    "GEMINI_BASE_URL",
    "BEDROCK_BASE_URL",
    "COHERE_BASE_URL",
    "MISTRAL_BASE_URL",
    "PERPLEXITY_BASE_URL",
    "OLLAMA_BASE_URL",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_PROVIDERS_CORPUS names their folder"]
async fn exchanges_with_every_provider_pass_unchanged_and_are_reported_as_they_were() {
    let exchanges = recorded::read();
    let served = Arc::clone(&exchanges);
    let upstream =
        Upstream::start(move |request, _| served[request.headers["x-replay"].to_str().unwrap()].answer())
            .await;
    let mut collector = Collector::start().await;
    let bases = BASE_URLS.map(|variable| (variable, format!("http://{}", upstream.address)));
    let reconify = [
        ("RECONIFY_ENDPOINT", format!("http://{}/track", collector.address)),
        ("RECONIFY_APP_KEY", APP_KEY.to_owned()),
        ("RECONIFY_API_KEY", API_KEY.to_owned()),
        ("RECONIFY_REPORT_FAILURES", "1".to_owned()),
        ("RECONIFY_METADATA", "1".to_owned()),
    ];
    let gateway = Gateway::start(&bases.into_iter().chain(reconify).collect::<Vec<_>>()).await;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();

    exceptions::assert_used(exchanges.values().filter(|exchange| exchange.kind().is_some()));
    let (mut compared, mut passed, mut failures) = (0, 0, Vec::new());
    for exchange in recorded::chosen(&exchanges) {
        let (path, forwarded) = exchange.path_at_gateway();
        let request = client
            .post(gateway.url(&path))
            .header("x-replay", &exchange.name)
            .header("x-user-id", &exchange.name)
            .header("content-type", exchange.request_type())
            .header("accept", exchange.accept())
            .body(exchange.request.clone());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), exchange.status(), "{}", exchange.name);
        assert_eq!(response.bytes().await.unwrap(), exchange.response, "{}", exchange.name);
        let (sent, body) = upstream.requests.lock().unwrap().pop().unwrap();
        assert_eq!((sent.uri.to_string(), body), (forwarded, exchange.request.clone()), "{}", exchange.name);
        if exchange.kind().is_none() {
            passed += 1;
            continue;
        }
        let (_, report) = collector.post().await;
        if let Err(difference) = compare::compare(exchange, &report) {
            failures.push(format!("{}: {difference}", exchange.name));
        }
        compared += 1;
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    println!(
        "{compared} exchanges with other providers reported as expected, {passed} others passed through"
    );
    let (status, counts) = gateway.stop().await;
    assert!(status.success());
    let expected =
        format!("{compared} captured = {compared} delivered + 0 rejected + 0 dropped + 0 withheld");
    assert!(counts.contains(&expected), "{counts}");
    assert_eq!(collector.rest(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_PROVIDERS_CORPUS names their folder"]
async fn calls_to_the_hosts_of_the_providers_are_reported_without_being_asked_for() {
    let exchanges = recorded::read();
    let config = Config::builder("test-app-key", "test-api-key").metadata(true).report_failures(true);
    let mut observed = observed_with(config.build().unwrap());
    let (mut compared, mut failures) = (0, Vec::new());
    for recorded in recorded::chosen(&exchanges) {
        let mut request = Request::post(recorded.address())
            .header("content-type", recorded.request_type())
            .header("accept", recorded.accept())
            .extension(User::new(recorded.name.clone()));
        if recorded.provider() == "anthropic-compatible" {
            // It has another host. The header, which Anthropic's clients send, was not recorded.
            request = request.header("anthropic-version", "2023-06-01");
        }
        let request = request.body(Body::from(recorded.request.clone())).unwrap();
        let answer = exchange(&observed, request, recorded.answer()).await;
        assert_eq!(answer, recorded.response, "{}", recorded.name);
        if recorded.kind().is_none() {
            continue;
        }
        if let Err(difference) = compare::compare(recorded, &observed.report_text().await) {
            failures.push(format!("{}: {difference}", recorded.name));
        }
        compared += 1;
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    let (rest, stats) = observed.settle().await;
    assert!(rest.is_empty() && stats.captured == compared, "{stats}");
    println!("{compared} calls to the hosts of other providers reported without being asked for");
}
