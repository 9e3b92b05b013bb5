//! Promises 2 and 8: a collector that hangs or refuses costs no request anything, and the end comes in time.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_executor::block_on;
use http_body_util::BodyExt;
use support::{ANSWER, PATIENCE, assert_accounted, chat, config, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{DeliveryError, DropReason, ReconifyLayer, Report, RequestBody, ShutdownReport};

/// Long enough for the worker to try, short enough to wait for.
const SHORT: Duration = Duration::from_millis(100);

/// One exchange through the layer, to its end.
async fn exchange(layer: &ReconifyLayer) {
    let inner = service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(json(ANSWER)));
    layer.layer(inner).oneshot(chat()).await.unwrap().into_body().collect().await.unwrap();
}

fn delivering() -> ReconifyLayer {
    ReconifyLayer::with_transport(config(), service_fn(async |_: Report| Ok::<_, Infallible>(())))
}

fn hanging() -> ReconifyLayer {
    ReconifyLayer::with_transport(config(), service_fn(|_: Report| pending::<Result<(), Infallible>>()))
}

fn refusing() -> ReconifyLayer {
    ReconifyLayer::with_transport(
        config(),
        service_fn(async |_: Report| Err::<(), _>(DeliveryError::unavailable())),
    )
}

/// A transport that is never ready.
fn stuck() -> ReconifyLayer {
    struct Stuck;

    impl tower::Service<Report> for Stuck {
        type Response = ();
        type Error = Infallible;
        type Future = std::future::Ready<Result<(), Infallible>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Pending
        }

        fn call(&mut self, _: Report) -> Self::Future {
            std::future::ready(Ok(()))
        }
    }

    ReconifyLayer::with_transport(config(), Stuck)
}

#[tokio::test]
async fn flush_waits_for_what_was_handed_over() {
    let layer = delivering();
    for _ in 0..100 {
        exchange(&layer).await;
    }
    let report = layer.reporter().flush(PATIENCE).await;
    assert!(report.is_complete());
    assert_eq!(layer.reporter().stats().delivered, 100);
}

#[tokio::test]
async fn exchanges_go_on_while_the_collector_hangs_or_refuses_and_the_deadlines_hold() {
    for layer in [hanging(), refusing(), stuck()] {
        for _ in 0..200 {
            tokio::time::timeout(PATIENCE, exchange(&layer))
                .await
                .expect("no exchange waits for the collector");
        }
        let flushed = tokio::time::timeout(PATIENCE, layer.reporter().flush(SHORT))
            .await
            .expect("flush keeps its deadline");
        assert_eq!((flushed.delivered, flushed.pending), (0, 200));
        let reporter = layer.reporter();
        let shutdown = tokio::time::timeout(PATIENCE, reporter.shutdown(SHORT))
            .await
            .expect("shutdown keeps its deadline");
        assert_eq!((shutdown.delivered, shutdown.dropped, shutdown.is_complete()), (0, 200, false));
        let stats = layer.reporter().stats();
        assert_eq!((stats.dropped(DropReason::Shutdown), stats.pending, stats.bytes_held), (200, 0, 0));
        assert_accounted(&stats);
    }
}

#[tokio::test]
async fn a_deadline_of_zero_and_one_beyond_all_time_are_deadlines() {
    let layer = delivering();
    exchange(&layer).await;
    layer.reporter().flush(Duration::ZERO).await;
    assert_eq!(layer.reporter().flush(Duration::MAX).await.pending, 0);
    layer.reporter().shutdown(Duration::ZERO).await;
    assert_accounted(&layer.reporter().stats());
}

#[tokio::test]
async fn after_shutdown_requests_pass_and_are_counted_as_dropped() {
    let layer = delivering();
    exchange(&layer).await;
    let report = layer.reporter().shutdown(PATIENCE).await;
    assert!(report.is_complete());
    exchange(&layer).await;
    let stats = layer.reporter().stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Shutdown), stats.pending), (1, 1, 0));
    assert_eq!(layer.reporter().shutdown(PATIENCE).await, ShutdownReport::default());
    assert_eq!(layer.reporter().flush(PATIENCE).await, Default::default());
}

#[tokio::test]
async fn an_exchange_that_ends_after_shutdown_is_counted_once() {
    let layer = delivering();
    let inner = service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(json(ANSWER)));
    let response = layer.layer(inner).oneshot(chat()).await.unwrap();
    let report = layer.reporter().shutdown(PATIENCE).await;
    assert_eq!((report.in_flight, report.is_complete()), (1, false));
    drop(response);
    let stats = layer.reporter().stats();
    assert_eq!((stats.dropped(DropReason::Shutdown), stats.pending, stats.bytes_held), (1, 0, 0));
}

#[tokio::test]
async fn a_flush_that_nobody_awaits_to_its_end_harms_nothing() {
    let layer = delivering();
    exchange(&layer).await;
    assert!(futures_util::future::poll_immediate(layer.reporter().flush(PATIENCE)).await.is_none());
    assert!(layer.reporter().flush(PATIENCE).await.is_complete());
}

#[test]
fn flush_and_shutdown_need_no_runtime_and_outlive_the_applications() {
    let layer = delivering();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(exchange(&layer));
    drop(runtime);
    let reporter = layer.reporter();
    let flushed = std::thread::spawn(move || block_on(reporter.flush(PATIENCE))).join().unwrap();
    assert!(flushed.is_complete());
    assert_eq!(layer.reporter().stats().delivered, 1);
    assert!(block_on(layer.reporter().shutdown(PATIENCE)).is_complete());
}

#[test]
fn what_is_queued_when_the_last_handle_goes_is_still_delivered() {
    let (sent, received) = std::sync::mpsc::channel();
    let layer = ReconifyLayer::with_transport(
        config(),
        service_fn(move |report: Report| {
            let sent = sent.send(report.id());
            async move { sent }
        }),
    );
    block_on(exchange(&layer));
    drop(layer);
    received.recv_timeout(PATIENCE).expect("the report is delivered");
    assert!(
        received
            .recv_timeout(PATIENCE)
            .is_err_and(|end| end == std::sync::mpsc::RecvTimeoutError::Disconnected),
        "the worker ends"
    );
}

#[test]
fn what_is_under_way_when_the_last_handle_goes_is_delivered_too() {
    let (sent, received) = std::sync::mpsc::channel();
    let layer = ReconifyLayer::with_transport(
        config(),
        service_fn(move |report: Report| {
            let sent = sent.send(report.id());
            async move { sent }
        }),
    );
    let inner = service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(json(ANSWER)));
    let response = block_on(layer.layer(inner).oneshot(chat())).unwrap();
    drop(layer);
    block_on(response.into_body().collect()).unwrap();
    received.recv_timeout(PATIENCE).expect("the report is delivered");
    assert!(
        received
            .recv_timeout(PATIENCE)
            .is_err_and(|end| end == std::sync::mpsc::RecvTimeoutError::Disconnected),
        "the worker ends"
    );
}

#[test]
fn layers_are_made_and_dropped_without_a_runtime() {
    let layers: Vec<_> = (0..50).map(|_| delivering()).collect();
    let clones: Vec<_> = (0..10_000).map(|_| layers.first().unwrap().clone()).collect();
    drop((layers, clones));
}

#[tokio::test]
async fn a_report_that_fails_at_first_is_tried_again() {
    let mut failures = 2;
    let mut first = None;
    let layer = ReconifyLayer::with_transport(
        config(),
        service_fn(move |report: Report| {
            let seen = (report.id(), report.bytes());
            assert_eq!(*first.get_or_insert(seen.clone()), seen, "every attempt is the same");
            failures -= 1;
            std::future::ready(if failures < 0 { Ok(()) } else { Err(DeliveryError::unavailable()) })
        }),
    );
    exchange(&layer).await;
    assert!(layer.reporter().flush(PATIENCE).await.is_complete());
    let stats = layer.reporter().stats();
    assert_eq!((stats.delivered, stats.retried), (1, 2));
}

#[tokio::test]
async fn a_report_that_keeps_failing_does_not_hold_up_the_rest() {
    let poison = std::sync::OnceLock::new();
    let (sent, mut delivered) = tokio::sync::mpsc::unbounded_channel();
    let layer = ReconifyLayer::with_transport(
        config(),
        service_fn(move |report: Report| {
            let is_poison = *poison.get_or_init(|| report.id()) == report.id();
            let result = if is_poison {
                Err(DeliveryError::unavailable())
            } else {
                sent.send(()).map_err(|_| DeliveryError::rejected())
            };
            std::future::ready(result)
        }),
    );
    for _ in 0..101 {
        exchange(&layer).await;
    }
    for _ in 0..100 {
        tokio::time::timeout(PATIENCE, delivered.recv()).await.expect("the good ones arrive").unwrap();
    }
    let reporter = layer.reporter();
    assert_eq!(reporter.flush(SHORT).await.pending, 1);
    assert_eq!(reporter.stats().delivered, 100);
}
