//! Promises 4 and 8, where they are easily broken: what flush, shutdown and the counts say is so.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::sync::{Notify, Semaphore};
use tower::{Service, service_fn};
use tower_reconify::{DeliveryError, DropReason, Interaction, InteractionKind, ReconifyLayer, Report};

use crate::support::{self, ANSWER, PATIENCE, assert_accounted, begin, config, json};

const SHORT: Duration = Duration::from_millis(100);

async fn exchange(layer: &ReconifyLayer) {
    begin(layer, json(ANSWER)).await.into_body().collect().await.unwrap();
}

/// A transport that tells when it has been called, and never answers.
fn hanging() -> (ReconifyLayer, Arc<Semaphore>) {
    let called = Arc::new(Semaphore::new(0));
    let tell = Arc::clone(&called);
    let transport = service_fn(move |_: Report| {
        tell.add_permits(1);
        pending::<Result<(), Infallible>>()
    });
    (ReconifyLayer::with_transport(config(), transport), called)
}

#[tokio::test]
async fn a_running_delivery_is_counted_once_when_shutdown_cuts_it_off() {
    let (layer, called) = hanging();
    exchange(&layer).await;
    called.acquire().await.unwrap().forget();
    let report = layer.reporter().shutdown(SHORT).await;
    assert_eq!((report.dropped, report.exchanges_open), (1, 0));
    let stats = layer.reporter().stats();
    assert_eq!((stats.pending, stats.dropped(DropReason::Shutdown)), (0, 1));
}

#[tokio::test]
async fn every_flush_and_shutdown_pending_when_the_worker_ends_gets_a_correct_summary() {
    let (layer, called) = hanging();
    exchange(&layer).await;
    called.acquire().await.unwrap().forget();
    let reporter = layer.reporter();
    let (flush, first, second) =
        tokio::join!(reporter.flush(PATIENCE), reporter.shutdown(SHORT), reporter.shutdown(SHORT));
    assert_eq!((flush.dropped, flush.pending), (1, 0), "the worker's end settles it");
    assert_eq!((first.dropped, second.dropped), (1, 1));
}

#[tokio::test]
async fn shutdown_waits_for_what_is_handed_over_while_it_waits_and_says_if_it_is_lost() {
    let release = Arc::new(Notify::new());
    let (gate, calls) = (Arc::clone(&release), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&calls);
    let layer = ReconifyLayer::with_transport(
        config(),
        service_fn(move |_: Report| {
            let (gate, call) = (Arc::clone(&gate), counted.fetch_add(1, SeqCst));
            async move {
                if call > 0 {
                    return Err(DeliveryError::unavailable().with_retry_after(PATIENCE));
                }
                gate.notified().await;
                Ok(())
            }
        }),
    );
    exchange(&layer).await;
    let response = begin(&layer, json(ANSWER)).await;
    let reporter = layer.reporter();
    let shutdown = tokio::spawn(async move { reporter.shutdown(PATIENCE).await });
    tokio::time::timeout(PATIENCE, async {
        while calls.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        drop(response);
        while calls.load(SeqCst) == 1 {
            tokio::task::yield_now().await;
        }
        release.notify_one();
        while layer.reporter().stats().delivered == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("both are tried, and one is delivered");
    // The earlier deadline of another ends this one too.
    layer.reporter().shutdown(SHORT).await;
    let report = shutdown.await.unwrap();
    assert_eq!((report.delivered, report.dropped, report.exchanges_open), (1, 1, 0));
    assert_accounted(&layer.reporter().stats());
}

#[tokio::test]
async fn an_exchange_handed_over_during_a_shutdown_and_lost_is_in_its_summary() {
    let (layer, called) = hanging();
    for _ in 0..32 {
        exchange(&layer).await;
    }
    // All places are taken: what follows stays in the queue.
    for _ in 0..32 {
        tokio::time::timeout(PATIENCE, called.acquire()).await.expect("all are tried").unwrap().forget();
    }
    let responses = [begin(&layer, json(ANSWER)).await, begin(&layer, json(ANSWER)).await];
    let reporter = layer.reporter();
    let shutdown = tokio::spawn(async move { reporter.shutdown(PATIENCE).await });
    tokio::time::timeout(PATIENCE, async { while exchange_is_captured(&layer).await {} })
        .await
        .expect("the shutdown has begun");
    drop(responses);
    // The earlier deadline of another ends this one too.
    layer.reporter().shutdown(SHORT).await;
    let report = shutdown.await.unwrap();
    // One more was dropped as it came: that was how the shutdown's begin was noticed.
    assert_eq!((report.dropped, report.exchanges_open), (35, 0));
}

/// Whether the layer still captures: one more exchange is not dropped at once.
async fn exchange_is_captured(layer: &ReconifyLayer) -> bool {
    let before = layer.reporter().stats().dropped(DropReason::Shutdown);
    tokio::task::yield_now().await;
    let inner =
        tower::service_fn(async |_: axum::http::Request<tower_reconify::RequestBody<axum::body::Body>>| {
            Err::<axum::http::Response<axum::body::Body>, _>("x")
        });
    let _ = tower::ServiceExt::oneshot(tower::Layer::layer(layer, inner), support::chat()).await;
    layer.reporter().stats().dropped(DropReason::Shutdown) == before
}

#[tokio::test]
async fn shutdown_tries_once_more_what_waits_for_a_retry() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let layer = ReconifyLayer::with_transport(
        config(),
        // It fails for as long as it takes to make the pauses long, and then works.
        service_fn(move |_: Report| {
            ready(if counted.fetch_add(1, SeqCst) < 1 { Err(DeliveryError::unavailable()) } else { Ok(()) })
        }),
    );
    exchange(&layer).await;
    tokio::time::timeout(PATIENCE, async {
        while calls.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is tried");
    assert!(layer.reporter().shutdown(PATIENCE).await.is_complete());
    assert_eq!(layer.reporter().stats().delivered, 1);
}

#[tokio::test]
async fn a_transport_that_panics_when_asked_whether_it_is_ready_costs_its_report_only() {
    struct Grumpy(u32);

    impl Service<Report> for Grumpy {
        type Response = ();
        type Error = Infallible;
        type Future = std::future::Ready<Result<(), Infallible>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.0 += 1;
            match self.0 {
                1 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                2 | 3 => panic!("on purpose"),
                _ => Poll::Ready(Ok(())),
            }
        }

        fn call(&mut self, _: Report) -> Self::Future {
            ready(Ok(()))
        }
    }

    let layer = ReconifyLayer::with_transport(config(), Grumpy(0));
    for _ in 0..5 {
        exchange(&layer).await;
    }
    assert_eq!(layer.reporter().flush(PATIENCE).await.pending, 0);
    let stats = layer.reporter().stats();
    // It panics twice; once or twice while a report waits for the answer.
    let panicked = stats.dropped(DropReason::Panicked);
    assert!((1..=2).contains(&panicked) && stats.delivered + panicked == 5, "{stats}");
    assert_eq!((stats.pending, stats.bytes_held), (0, 0));
}

#[tokio::test]
async fn what_was_reported_by_hand_before_the_last_handle_went_is_delivered() {
    for _ in 0..20 {
        let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
        let layer = ReconifyLayer::with_transport(
            config(),
            service_fn(move |report: Report| ready(sent.send(report.id()))),
        );
        let reporter = layer.reporter();
        drop(layer);
        for _ in 0..3 {
            reporter.report(Interaction::new(InteractionKind::Chat, &1, &2).unwrap());
        }
        drop(reporter);
        for _ in 0..3 {
            tokio::time::timeout(PATIENCE, received.recv())
                .await
                .expect("a report in time")
                .expect("all three");
        }
    }
}
