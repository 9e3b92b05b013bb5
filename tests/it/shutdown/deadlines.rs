//! Promises 2 and 8: a collector that hangs or refuses costs no request anything, and the end comes in time.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use futures_executor::block_on;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_reconify::{DeliveryError, DropReason, ReconifyLayer, Report, RequestBody, ShutdownSummary};

use crate::support::{ANSWER, PATIENCE, assert_accounted, chat, config, json};

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

/// A worker whose thread is blocked in its transport until the gate opens.
struct Blocked {
    layer: ReconifyLayer,
    gate: Sender<Infallible>,
}

/// Begins to deliver the first of several reports, and blocks. Held attempts then call `end`.
fn blocked(reports: usize, end: fn()) -> Blocked {
    let ((gate, held), (entered, enters)) = (channel::<Infallible>(), channel());
    let transport = service_fn(move |_: Report| {
        let _ = entered.send(());
        let _ = held.recv();
        end();
        ready(Ok::<_, Infallible>(()))
    });
    let layer = ReconifyLayer::with_transport(config(), transport);
    (0..reports).for_each(|_| block_on(exchange(&layer)));
    enters.recv_timeout(PATIENCE).expect("the first report is tried");
    Blocked { layer, gate }
}

impl Blocked {
    /// Opens the gate, and waits until no more than `pending` are pending.
    fn open(self, pending: u64) -> ReconifyLayer {
        drop(self.gate);
        wait_for_pending(&self.layer, pending);
        self.layer
    }
}

#[track_caller]
fn wait_for_pending(layer: &ReconifyLayer, pending: u64) {
    let begun = Instant::now();
    while layer.reporter().stats().pending > pending {
        assert!(begun.elapsed() < PATIENCE, "{}", layer.reporter().stats());
        std::thread::yield_now();
    }
}

/// Runs something on a thread of its own, which has to come to its end although the gate is shut.
#[track_caller]
fn in_time<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    std::thread::spawn(move || done.send(run()));
    result.recv_timeout(PATIENCE).expect("it returns while the worker's thread is blocked")
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
    assert_eq!(layer.reporter().shutdown(PATIENCE).await, ShutdownSummary::default());
    assert_eq!(layer.reporter().flush(PATIENCE).await, Default::default());
}

#[tokio::test]
async fn an_exchange_that_ends_after_shutdown_is_counted_once() {
    let layer = delivering();
    let inner = service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(json(ANSWER)));
    let response = layer.layer(inner).oneshot(chat()).await.unwrap();
    let report = layer.reporter().shutdown(PATIENCE).await;
    assert_eq!((report.exchanges_open, report.is_complete()), (1, false));
    drop(response);
    let stats = layer.reporter().stats();
    assert_eq!((stats.dropped(DropReason::Shutdown), stats.pending, stats.bytes_held), (1, 0, 0));
}

#[test]
fn a_flush_that_nobody_awaits_to_its_end_harms_nothing() {
    let Blocked { layer, gate } = blocked(1, || ());
    assert!(block_on(futures_util::future::poll_immediate(layer.reporter().flush(PATIENCE))).is_none());
    drop(gate);
    assert!(block_on(layer.reporter().flush(PATIENCE)).is_complete());
    assert_eq!(layer.reporter().stats().delivered, 1);
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
fn an_exchange_under_way_when_the_last_handle_goes_is_delivered() {
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

#[test]
fn a_flush_and_a_shutdown_return_while_a_transport_blocks_the_workers_thread() {
    let blocked = blocked(3, || ());
    let inner = service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(json(ANSWER)));
    let under_way = block_on(blocked.layer.layer(inner).oneshot(chat())).unwrap();
    let reporter = blocked.layer.reporter();
    let flushed = in_time(move || block_on(reporter.flush(SHORT)));
    assert_eq!((flushed.delivered, flushed.pending, flushed.is_complete()), (0, 3, false));
    let reporter = blocked.layer.reporter();
    let ended = in_time(move || block_on(reporter.shutdown(SHORT)));
    assert_eq!((ended.dropped, ended.exchanges_open, ended.is_complete()), (3, 1, false));
    let stats = blocked.layer.reporter().stats();
    assert_eq!((stats.captured, stats.settled(), stats.pending), (4, 0, 4), "they are held still");
    assert_accounted(&stats);

    // The worker finds that its time is over.
    let layer = blocked.open(1);
    let stats = layer.reporter().stats();
    assert_eq!(stats.delivered + stats.dropped(DropReason::Shutdown), 3, "{stats}");
    assert_eq!((stats.captured, stats.pending), (4, 1), "{stats}");
    drop(under_way);
    wait_for_pending(&layer, 0);
    let stats = layer.reporter().stats();
    assert_eq!((stats.pending, stats.bytes_held), (0, 0));
    assert_accounted(&stats);
}

#[test]
fn a_flush_returns_under_every_runtime_while_the_workers_thread_is_blocked() {
    use tokio::runtime::Builder;

    let blocked = blocked(1, || ());
    let flush = || {
        let reporter = blocked.layer.reporter();
        async move { reporter.flush(SHORT).await.pending }
    };
    let flushes = [flush(), flush(), flush(), flush()];
    let [without, current_thread, multi_thread, inside] = flushes;
    let pending = in_time(move || {
        let paused = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let threads = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        [
            block_on(without),
            Builder::new_current_thread().build().unwrap().block_on(current_thread),
            threads.block_on(threads.spawn(multi_thread)).unwrap(),
            // The runtime's only thread is blocked.
            paused.block_on(async { block_on(inside) }),
        ]
    });
    assert_eq!(pending, [1; 4]);
    // A worker that is free again answers as ever.
    let Blocked { layer, gate } = blocked;
    drop(gate);
    assert!(block_on(layer.reporter().flush(PATIENCE)).is_complete());
    assert_eq!(layer.reporter().stats().delivered, 1);
}

#[test]
fn a_shutdown_whose_deadline_passed_while_the_thread_was_blocked_goes_on_once_it_is_free() {
    let blocked = blocked(2, || ());
    let reporter = blocked.layer.reporter();
    assert!(futures_util::FutureExt::now_or_never(reporter.shutdown(Duration::ZERO)).is_none());
    let layer = blocked.open(0);
    let stats = layer.reporter().stats();
    assert_eq!((stats.captured, stats.settled()), (2, 2), "{stats}");
}

/// The worker loses a report after the call, and before it can know of it.
#[test]
fn a_loss_before_the_worker_receives_the_call_makes_the_summary_incomplete() {
    let panic = || panic!("on purpose");
    let Blocked { layer, gate } = blocked(1, panic);
    let reporter = layer.reporter();
    let mut flush = std::pin::pin!(reporter.flush(PATIENCE));
    assert!(block_on(futures_util::future::poll_immediate(flush.as_mut())).is_none());
    drop(gate);
    let flushed = block_on(flush);
    assert_eq!((flushed.dropped, flushed.pending, flushed.is_complete()), (1, 0, false));

    let Blocked { layer, gate } = blocked(1, panic);
    let reporter = layer.reporter();
    let mut shutdown = std::pin::pin!(reporter.shutdown(PATIENCE));
    assert!(block_on(futures_util::future::poll_immediate(shutdown.as_mut())).is_none());
    drop(gate);
    let ended = block_on(shutdown);
    assert_eq!((ended.dropped, ended.exchanges_open, ended.is_complete()), (1, 0, false));
    assert_eq!(layer.reporter().stats().dropped(DropReason::Panicked), 1);
}

#[tokio::test]
async fn an_exchange_dropped_during_a_shutdown_is_in_its_summary() {
    let layer = hanging();
    exchange(&layer).await;
    let reporter = layer.reporter();
    let mut shutdown = std::pin::pin!(reporter.shutdown(SHORT));
    assert!(futures_util::poll!(shutdown.as_mut()).is_pending());
    exchange(&layer).await;
    let ended = shutdown.await;
    assert_eq!((ended.dropped, ended.is_complete()), (2, false));
    assert_eq!(layer.reporter().stats().dropped(DropReason::Shutdown), 2);
}
