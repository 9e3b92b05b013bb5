//! Promise 8: one thread serves all, and it ends wherever the last handle goes. These tests count threads: they
//! run one after the other.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use futures_executor::block_on;
use futures_util::future::Either;
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_reconify::{DeliveryError, DropReason, ReconifyLayer, Report, RequestBody};

use crate::support::{ANSWER, PATIENCE, assert_accounted, chat, config, json};

/// Long enough for the worker to try, short enough to wait for.
const SHORT: Duration = Duration::from_millis(100);

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    wait_for_workers(0);
    alone
}

/// Threads of reporters, by their name.
fn workers() -> usize {
    threads("reconify")
}

/// Threads that wake those who wait for a reporter.
fn clocks() -> usize {
    threads("reconify-clock")
}

fn threads(wanted: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim_end() == wanted).count()
}

/// A thread begins before it has its name, and what it had is dropped before it has ended.
#[track_caller]
fn wait_for_workers(expected: usize) {
    wait_until_there_are(expected, workers);
}

#[track_caller]
fn wait_until_there_are(expected: usize, threads: fn() -> usize) {
    let begun = Instant::now();
    while threads() != expected {
        assert!(begun.elapsed() < PATIENCE, "{} threads instead of {expected}", threads());
        thread::yield_now();
    }
}

#[derive(Clone, Copy, Debug)]
enum Collector {
    Takes,
    Refuses,
    Hangs,
    IsNeverReady,
}

const COLLECTORS: [Collector; 4] =
    [Collector::Takes, Collector::Refuses, Collector::Hangs, Collector::IsNeverReady];

/// A transport that tells by its end that the worker has let go of it.
struct Transport {
    collector: Collector,
    _ended: Sender<Infallible>,
}

impl Service<Report> for Transport {
    type Response = ();
    type Error = DeliveryError;
    type Future = Either<
        std::future::Ready<Result<(), DeliveryError>>,
        std::future::Pending<Result<(), DeliveryError>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        if matches!(self.collector, Collector::IsNeverReady) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, _: Report) -> Self::Future {
        match self.collector {
            Collector::Takes => Either::Left(ready(Ok(()))),
            Collector::Refuses => Either::Left(ready(Err(DeliveryError::unavailable()))),
            Collector::Hangs | Collector::IsNeverReady => Either::Right(pending()),
        }
    }
}

/// A layer, and the receiver that is closed when its worker ends.
fn layer(collector: Collector) -> (ReconifyLayer, Receiver<Infallible>) {
    let (ended, end) = channel();
    (ReconifyLayer::with_transport(config(), Transport { collector, _ended: ended }), end)
}

async fn exchange(layer: &ReconifyLayer) {
    let inner = service_fn(async |_: Request<RequestBody<Body>>| Ok::<_, Infallible>(json(ANSWER)));
    layer.layer(inner).oneshot(chat()).await.unwrap().into_body().collect().await.unwrap();
}

#[track_caller]
fn assert_ended(end: &Receiver<Infallible>, case: impl std::fmt::Debug) {
    assert_eq!(end.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "{case:?}");
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Runs something on a thread of its own, which has to come to its end.
#[track_caller]
fn in_time<T: Send + 'static>(case: impl std::fmt::Debug, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    thread::spawn(move || done.send(run()));
    result.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{case:?} comes to its end"))
}

#[test]
fn ten_thousand_clones_share_one_thread() {
    let _alone = alone();
    let (layer, end) = layer(Collector::Takes);
    let clones: Vec<_> = (0..10_000).map(|_| (layer.clone(), layer.reporter())).collect();
    thread::scope(|scope| {
        for clones in clones.chunks(2_500) {
            scope.spawn(|| clones.iter().for_each(|(layer, _)| block_on(exchange(layer))));
        }
    });
    for (_, reporter) in clones.iter().step_by(1_000) {
        assert!(block_on(reporter.flush(PATIENCE)).is_complete());
    }
    assert_eq!(workers(), 1);
    let stats = layer.reporter().stats();
    assert_eq!((stats.captured, stats.delivered), (10_000, 10_000));
    drop(layer);
    let (_, last) = clones.into_iter().next_back().unwrap();
    assert_eq!(workers(), 1, "a reporter is a handle, too");
    drop(last);
    assert_ended(&end, "the worker");
    wait_for_workers(0);
}

/// Where the last handle goes.
#[derive(Clone, Copy, Debug)]
enum Place {
    NoRuntime,
    CurrentThread,
    MultiThread,
    AfterItsRuntime,
    /// In a task that is dropped with its runtime.
    WithItsRuntime(fn() -> Runtime),
    /// In a thread that panics.
    InAPanic,
}

fn drop_at(place: Place, layer: ReconifyLayer) {
    match place {
        Place::NoRuntime => drop(layer),
        Place::CurrentThread => current_thread().block_on(async { drop(layer) }),
        Place::MultiThread => {
            let runtime = multi_thread();
            runtime.block_on(runtime.spawn(async { drop(layer) })).unwrap();
        }
        Place::AfterItsRuntime => {
            current_thread().block_on(exchange(&layer));
            drop(layer);
        }
        Place::WithItsRuntime(make) => {
            let runtime = make();
            let (begun, begins) = channel();
            let task = async move {
                let inner = service_fn(|_| pending::<Result<axum::http::Response<Body>, Infallible>>());
                let call = layer.layer(inner).oneshot(chat());
                drop(layer);
                begun.send(()).unwrap();
                call.await.map(drop)
            };
            let task = runtime.spawn(task);
            runtime.block_on(tokio::task::yield_now());
            begins.recv_timeout(PATIENCE).unwrap();
            drop((task, runtime));
        }
        Place::InAPanic => {
            let panicked = thread::spawn(move || {
                let _layer = layer;
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert!(panicked.join().is_err());
        }
    }
}

/// What cannot be delivered is tried for five seconds more, as [`ReconifyLayer`] says.
#[test]
fn wherever_the_last_handle_goes_it_goes_at_once_and_the_thread_ends() {
    let _alone = alone();
    let places = [
        Place::NoRuntime,
        Place::CurrentThread,
        Place::MultiThread,
        Place::AfterItsRuntime,
        Place::WithItsRuntime(current_thread),
        Place::WithItsRuntime(multi_thread),
        Place::InAPanic,
    ];
    let mut ends = Vec::new();
    for place in places {
        for collector in COLLECTORS {
            let (layer, end) = layer(collector);
            block_on(exchange(&layer));
            let case = (place, collector);
            in_time(case, move || drop_at(place, layer));
            ends.push((case, end));
        }
    }
    for (case, end) in ends {
        assert_ended(&end, case);
    }
    wait_for_workers(0);
}

/// How a runtime is used to wait for the end.
fn shut_down_at(place: Place, layer: &ReconifyLayer, deadline: Duration) -> tower_reconify::ShutdownSummary {
    let reporter = layer.reporter();
    let shutdown = async move { reporter.shutdown(deadline).await };
    match place {
        Place::NoRuntime => block_on(shutdown),
        Place::CurrentThread => current_thread().block_on(shutdown),
        Place::MultiThread => {
            let runtime = multi_thread();
            runtime.block_on(runtime.spawn(shutdown)).unwrap()
        }
        Place::AfterItsRuntime => {
            current_thread().block_on(exchange(layer));
            block_on(shutdown)
        }
        // It blocks the runtime's only thread: nothing that the shutdown needs runs there.
        Place::WithItsRuntime(make) => make().block_on(async { block_on(shutdown) }),
        Place::InAPanic => {
            let (layer, done) = (layer.clone(), channel());
            let panicked = thread::spawn(move || {
                struct AtTheEnd(ReconifyLayer, Duration, Sender<tower_reconify::ShutdownSummary>);

                impl Drop for AtTheEnd {
                    fn drop(&mut self) {
                        self.2.send(block_on(self.0.reporter().shutdown(self.1))).unwrap();
                    }
                }

                let _at_the_end = AtTheEnd(layer, deadline, done.0);
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert!(panicked.join().is_err());
            done.1.recv().unwrap()
        }
    }
}

#[test]
fn a_shutdown_returns_under_every_runtime_and_ends_the_thread() {
    let _alone = alone();
    for place in [
        Place::NoRuntime,
        Place::CurrentThread,
        Place::MultiThread,
        Place::AfterItsRuntime,
        Place::WithItsRuntime(current_thread),
        Place::WithItsRuntime(multi_thread),
        Place::InAPanic,
    ] {
        for collector in COLLECTORS {
            let (layer, end) = layer(collector);
            block_on(exchange(&layer));
            let case = (place, collector);
            // A busy machine may need longer to deliver; a shutdown returns as soon as it has.
            let deadline = if matches!(collector, Collector::Takes) { PATIENCE } else { SHORT };
            let (report, layer) = in_time(case, move || (shut_down_at(place, &layer, deadline), layer));
            assert_ended(&end, case);
            let stats = layer.reporter().stats();
            let lost = if matches!(collector, Collector::Takes) { 0 } else { stats.captured };
            assert_eq!((stats.delivered, report.dropped), (stats.captured - lost, lost), "{case:?}");
            // A layer without a worker lets requests pass, and counts them.
            block_on(exchange(&layer));
            let stats = layer.reporter().stats();
            assert_accounted(&stats);
            assert_eq!((stats.pending, stats.bytes_held), (0, 0), "{case:?}");
            assert!(stats.dropped(DropReason::Shutdown) >= 1);
        }
    }
    wait_for_workers(0);
}

#[test]
fn many_shutdowns_at_once_all_return() {
    let _alone = alone();
    for collector in COLLECTORS {
        let (layer, end) = layer(collector);
        block_on(exchange(&layer));
        let runtime = multi_thread();
        let shutdowns: Vec<_> = (0..20)
            .map(|_| {
                let reporter = layer.reporter();
                runtime.spawn(async move { reporter.shutdown(SHORT).await })
            })
            .collect();
        in_time(collector, move || {
            runtime.block_on(async {
                for shutdown in shutdowns {
                    shutdown.await.unwrap();
                }
            });
        });
        assert_ended(&end, collector);
    }
    wait_for_workers(0);
}

/// A flush or a shutdown that nobody awaits any more, since its runtime has gone.
#[test]
fn a_shutdown_whose_runtime_goes_meanwhile_goes_on() {
    let _alone = alone();
    for make in [current_thread, multi_thread] {
        let (layer, end) = layer(Collector::Hangs);
        block_on(exchange(&layer));
        let reporter = layer.reporter();
        let runtime = make();
        let mut shutdown = Box::pin(async move { reporter.shutdown(SHORT).await });
        runtime.block_on(async {
            assert!(futures_util::poll!(shutdown.as_mut()).is_pending());
            drop(tokio::spawn(shutdown));
        });
        in_time("dropping the runtime", move || drop(runtime));
        assert_ended(&end, "the worker");
        wait_for_workers(0);
        assert_eq!(layer.reporter().stats().dropped(DropReason::Shutdown), 1);
    }
}

#[test]
fn a_hook_that_hangs_does_not_keep_the_thread() {
    let _alone = alone();
    let (gate, hold) = channel::<Infallible>();
    let hold = Mutex::new(hold);
    let config = tower_reconify::Config::builder("app", "key").before_send(move |interaction| {
        let _ = hold.lock().unwrap().recv();
        Some(interaction)
    });
    let transport = service_fn(async |_: Report| Ok::<_, Infallible>(()));
    let layer = ReconifyLayer::with_transport(config.build().unwrap(), transport);
    block_on(exchange(&layer));
    let ended = in_time("shutdown", {
        let reporter = layer.reporter();
        move || block_on(reporter.shutdown(SHORT))
    });
    assert_eq!(ended.dropped, 1);
    wait_for_workers(0);
    drop(gate);
}

/// The thread that wakes those who wait lives while they do, and is one for all of them.
#[test]
fn no_thread_is_left_of_a_flush_that_was_answered_or_that_nobody_awaits() {
    let _alone = alone();
    let (takes, _end) = layer(Collector::Takes);
    block_on(exchange(&takes));
    assert!(block_on(takes.reporter().flush(PATIENCE * 100)).is_complete());
    wait_until_there_are(0, clocks);

    let (hangs, _end) = layer(Collector::Hangs);
    block_on(exchange(&hangs));
    let reporter = hangs.reporter();
    let mut flushes: Vec<_> = (0..100).map(|_| Box::pin(reporter.flush(PATIENCE * 100))).collect();
    for flush in &mut flushes {
        assert!(block_on(futures_util::future::poll_immediate(flush)).is_none());
    }
    wait_until_there_are(1, clocks);
    drop(flushes);
    wait_until_there_are(0, clocks);
}

/// A writer of logs that blocks once: while the test holds the gate.
struct Gated;

static GATE: Mutex<Option<(Sender<()>, Receiver<Infallible>)>> = Mutex::new(None);

impl std::io::Write for Gated {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let gate = GATE.lock().unwrap().take();
        if let Some((entered, gate)) = gate {
            entered.send(()).unwrap();
            let _ = gate.recv();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_flush_and_a_shutdown_return_while_a_log_writer_blocks_the_thread() {
    let _alone = alone();
    let ((gate, held), (entered, enters)) = (channel(), channel());
    *GATE.lock().unwrap() = Some((entered, held));
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(|| Gated);
    tracing::subscriber::set_global_default(log.finish()).unwrap();
    let (layer, end) = layer(Collector::Refuses);
    for _ in 0..5 {
        block_on(exchange(&layer));
    }
    enters.recv_timeout(PATIENCE).expect("the outage is logged");
    let reporter = layer.reporter();
    let (flushed, ended) = in_time("while the log is blocked", move || {
        (block_on(reporter.flush(SHORT)), block_on(reporter.shutdown(SHORT)))
    });
    assert_eq!((flushed.pending, flushed.is_complete()), (5, false));
    assert_eq!((ended.dropped, ended.exchanges_open, ended.is_complete()), (5, 0, false));
    drop(gate);
    assert_ended(&end, "the worker");
    wait_for_workers(0);
    let stats = layer.reporter().stats();
    assert_eq!((stats.dropped(DropReason::Shutdown), stats.pending, stats.bytes_held), (5, 0, 0));
    assert_accounted(&stats);
}
