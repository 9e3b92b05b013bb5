//! Regressions: schedules that once starved or forgot reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Extensions, HeaderMap};
use tokio::time::{Instant, sleep, timeout};
use tower::{Service, service_fn};

use super::harness::{answering, builder, number, start};
use crate::budget::Budget;
use crate::capture::Observer;
use crate::config::Config;
use crate::config::Limits;
use crate::delivery::dispatcher::Dispatcher;
use crate::delivery::job::Job;
use crate::handoff::QueueItem;
use crate::interaction::{Interaction, InteractionKind};
use crate::provider::operation::Operation;
use crate::report::Report;
use crate::reporter::worker::prepare::{self, Prepared};
use crate::stats::Settlement;
use crate::translation::Effort;
use crate::transport::DeliveryError;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// One report is always answered with `503` and `Retry-After: 120`, among a hundred good ones.
#[tokio::test(start_paused = true)]
async fn a_report_that_asks_to_wait_for_ever_does_not_starve_the_others() {
    let (simulated, seen) = answering(
        builder(),
        || 0.5,
        |attempt| match attempt.number {
            0 => Err(DeliveryError::unavailable().with_status(503).with_retry_after(120 * SECOND)),
            _ => Ok(()),
        },
    );
    simulated.report();
    sleep(SECOND).await;
    for _ in 0..100 {
        simulated.report();
    }
    sleep(24 * HOUR).await;
    let stats = simulated.stats();
    assert_eq!(stats.delivered, 100, "{stats}; {} attempts in a day", seen.all().len());
}

/// Time passes between `start` and `progress`, while the worker writes the log and answers flushes.
#[tokio::test(start_paused = true)]
async fn a_probe_that_becomes_due_while_the_worker_looks_away_is_not_forgotten() {
    let config = builder().build().unwrap();
    let budget = Arc::new(Budget::new(config.limits));
    let transport = service_fn(|_: Report| std::future::ready(Err::<(), _>(DeliveryError::unavailable())));
    let mut dispatcher =
        Dispatcher::new(transport, config.concurrent_deliveries, config.retry_limits, || 0.5);
    for id in 0..5 {
        dispatcher.schedule.push(job(id, &budget, &config));
    }
    dispatcher.start().await;
    while dispatcher.in_flight() > 0 {
        dispatcher.progress().await;
    }
    assert!(dispatcher.is_failing());
    dispatcher.start().await;
    assert_eq!(dispatcher.in_flight(), 0, "the probe is due in 250 ms");
    tokio::time::advance(Duration::from_millis(251)).await;
    assert!(
        timeout(24 * HOUR, dispatcher.progress()).await.is_ok(),
        "a probe is due, and nothing wakes the worker for a day"
    );
}

/// No handles are left, the collector hangs, and the budget is full. The end of an exchange then
/// does not wake the worker, so it has to poll.
#[tokio::test(start_paused = true)]
async fn a_worker_that_nobody_can_ask_stays_while_an_exchange_is_under_way_and_five_seconds_more() {
    let simulated =
        start(builder(), service_fn(|_: Report| std::future::pending::<Result<(), DeliveryError>>()), || 0.5);
    let under_way = simulated.sender.budget().admit();
    (0..100).for_each(|_| simulated.report());
    let mut worker = simulated.abandon();
    assert!(timeout(600 * SECOND, &mut worker).await.is_err(), "it waits for the exchange");
    drop(under_way);
    let ended = Instant::now();
    timeout(HOUR, worker).await.expect("it ends").unwrap();
    assert!((5 * SECOND..6 * SECOND).contains(&ended.elapsed()), "after {:?}", ended.elapsed());
}

/// Another thread may settle a withheld interaction before the worker knows of it. The worker must
/// not take that for the end of the exchange in flight.
#[tokio::test(start_paused = true)]
async fn an_abandoned_worker_waits_for_an_open_exchange_although_hooks_leave_out_everything() {
    let (simulated, seen) = answering(builder().before_send(|_| None), || 0.5, |_| Ok(()));
    let under_way = simulated.sender.budget().admit();
    (0..100).for_each(|_| simulated.report());
    let mut worker = simulated.abandon();
    assert!(timeout(600 * SECOND, &mut worker).await.is_err(), "it waits for the exchange");
    drop(under_way);
    timeout(HOUR, worker).await.expect("it ends").unwrap();
    assert!(seen.all().is_empty());
}

/// Fails `poll_ready` a number of times, and accepts everything afterwards.
struct Stumbling(u32, Arc<AtomicU64>);

impl Service<Report> for Stumbling {
    type Response = ();
    type Error = DeliveryError;
    type Future = std::future::Ready<Result<(), DeliveryError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        self.0 = self.0.saturating_sub(1);
        Poll::Ready(if self.0 > 0 { Err(DeliveryError::unavailable()) } else { Ok(()) })
    }

    fn call(&mut self, _: Report) -> Self::Future {
        self.1.fetch_add(1, SeqCst);
        std::future::ready(Ok(()))
    }
}

/// A transport's `DeliveryError` decides whether there is a retry; any other error is retried.
#[tokio::test(start_paused = true)]
async fn a_transport_that_is_not_available_when_asked_whether_it_is_ready_costs_no_report() {
    let taken = Arc::new(AtomicU64::new(0));
    let simulated = start(builder(), Stumbling(51, Arc::clone(&taken)), || 0.5);
    for _ in 0..100 {
        simulated.report();
    }
    simulated.flush(HOUR).await;
    assert_eq!(simulated.stats().delivered, 100, "{}", simulated.stats());
}

/// For example a message broker whose client has a task for each report.
#[tokio::test]
async fn a_transport_that_answers_at_once_leaves_other_tasks_their_turn() {
    let (waiting, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (now, highest) = (Arc::clone(&waiting), Arc::clone(&most));
    let transport = service_fn(move |_: Report| {
        highest.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        let now = Arc::clone(&now);
        tokio::spawn(async move { now.fetch_sub(1, SeqCst) });
        std::future::ready(Ok::<_, DeliveryError>(()))
    });
    let simulated = start(builder(), transport, || 0.5);
    for _ in 0..2_000 {
        simulated.report();
    }
    assert_eq!(simulated.flush(60 * SECOND).await.pending, 0);
    assert!(most.load(SeqCst) < 500, "{} tasks at once", most.load(SeqCst));
}

/// All bodies wait at the same time and exceed an eighth of the budget, so some are reported
/// without their content.
#[tokio::test(start_paused = true)]
async fn bodies_that_wait_to_be_read_leave_the_others_their_turn_and_none_is_lost() {
    let large = 1_500_000;
    let transport = service_fn(|_: Report| std::future::ready(Ok::<_, DeliveryError>(())));
    let simulated =
        start(builder().limits(Limits { bytes: 64_000_000, ..Limits::default() }), transport, || 0.5);
    for _ in 0..20 {
        let (_, tap) = Observer::begin(
            &simulated.sender,
            Operation::Chat,
            "",
            &HeaderMap::new(),
            &mut Extensions::new(),
        );
        tap.record_whole(&vec![b' '; large].into());
    }
    (0..100).for_each(|_| simulated.report());
    let flushed = simulated.flush(HOUR).await;
    let stats = simulated.stats();
    assert_eq!((flushed.delivered, flushed.pending, stats.delivered), (120, 0, 120), "{stats}");
    // Five bodies fit into 8 MB, and none is read while others are still being taken.
    assert_eq!(stats.unread, 15, "{stats}");
    assert_eq!(stats.bytes_held, 0);
}

/// As at shutdown. Attempts that wake themselves end each poll early.
#[tokio::test]
async fn an_answer_that_has_come_is_taken_whatever_the_other_attempts_do() {
    let config = builder().build().unwrap();
    let budget = Arc::new(Budget::new(config.limits));
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut receiver = Some(receiver);
    let transport = service_fn(move |report: Report| -> BoxFuture<'static, Result<(), DeliveryError>> {
        match number(&report) {
            0 => Box::pin(receiver.take().unwrap().map(|_| Ok(()))),
            _ => Box::pin(std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Pending
            })),
        }
    });
    let mut dispatcher =
        Dispatcher::new(transport, config.concurrent_deliveries, config.retry_limits, || 0.5);
    for id in 0..4 {
        dispatcher.schedule.push(job(id, &budget, &config));
        dispatcher.start().await;
        assert!(dispatcher.progress().now_or_never().is_none(), "it is begun");
    }
    sender.send(()).unwrap();
    dispatcher.finish_ended(Instant::now() + HOUR).await;
    assert_eq!(dispatcher.schedule.take_settled().collect::<Vec<_>>(), [(0, Settlement::Delivered)]);
}

/// Makes a numbered job, ready for delivery.
fn job(id: u64, budget: &Arc<Budget>, config: &Config) -> Job {
    let interaction = Interaction::new(InteractionKind::Chat, &id, &"answer").unwrap();
    let item = QueueItem::Interaction(budget.admit().unwrap(), Box::new(interaction));
    match prepare::job(id, item, &config.reporting, Effort::Try) {
        Prepared::Done(job) => job.unwrap(),
        _ => panic!("it is small, and there are no hooks"),
    }
}
