//! Large reports, and images.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_reconify::{Config, FailureClass, HttpTransport, RequestBody};

use reconify_nats::NatsTransport;

use crate::support::collector::Collector;
use crate::support::forwarder::Forwarder;
use crate::support::publisher::{Publisher, config};
use crate::support::server::Servers;
use crate::support::tally::Tally;
use crate::support::{runs, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_report_that_is_too_large_for_nats_is_rejected_and_counted_and_delays_no_other() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        publisher.publish(100, 1_000).await;
        publisher.hand_over(&"x".repeat(1_500_000));
        publisher.publish(100, 1_000).await;
        publisher.settled().await;
        let stats = publisher.reporter.stats();
        assert_eq!((stats.delivered, stats.rejected), (200, 1));
        assert_eq!(stats.last_failure, Some(FailureClass::Rejected));
        let what = "1.5 MB without keys";
        let tally =
            Tally::count(what, publisher.handed_over, &publisher.acknowledged(), &servers, &collector).await;
        assert_eq!((tally.delivered, tally.dead, tally.duplicates, tally.lost), (200, 0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn with_keys_a_report_that_is_too_large_for_nats_is_posted_directly() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let with_keys = Config::builder("app-key", "api-key").endpoint(collector.endpoint()).build().unwrap();
        let http = HttpTransport::new(&with_keys).unwrap();
        let mut publisher = Publisher::with(config(), NatsTransport::new(servers.list()).or_directly(http));
        publisher.publish(100, 1_000).await;
        publisher.hand_over(&"x".repeat(1_500_000));
        publisher.publish(100, 1_000).await;
        publisher.settled().await;
        let what = "1.5 MB with keys";
        let tally =
            Tally::count(what, publisher.handed_over, &publisher.acknowledged(), &servers, &collector).await;
        tally.all_once();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn images_pass_through_nats_as_uploads_and_reach_the_endpoint_for_uploads() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let publisher = Publisher::start(servers.list());
        let mut service =
            publisher.layer.layer(service_fn(async |request: Request<RequestBody<Full<Bytes>>>| {
                request.into_body().collect().await.unwrap();
                let image = format!(r#"{{"b64_json":"{}"}}"#, "iVBORw0KGgo".repeat(20_000));
                let body = format!(r#"{{"created":1,"data":[{image},{image}]}}"#);
                let response = Response::builder().header("content-type", "application/json");
                Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
            }));
        let request = Request::post("/v1/images/generations").header("content-type", "application/json");
        let request = request.body(Full::from(r#"{"model":"gpt-image-1","prompt":"a cat"}"#)).unwrap();
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        until("the interaction and both images are delivered", || async { collector.delivered() == 3 }).await;
        let mut paths: Vec<_> = collector.paths().into_values().collect();
        paths.sort();
        assert_eq!(paths, ["/track", "/upload", "/upload"]);
        // An interaction and its images are one job, so the publisher counts one delivery of three reports.
        let tally = Tally::count("image uploads", 3, &publisher.acknowledged(), &servers, &collector).await;
        tally.all_once();
    }
}
