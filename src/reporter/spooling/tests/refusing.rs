//! Disks that refuse operations, and small budgets.

use std::sync::atomic::AtomicU64;

use tokio::sync::Semaphore;
use tower::service_fn;

use super::*;
use crate::config::Limits;
use crate::report::Report;
use crate::reporter::tests::harness::start;

/// One file cannot be removed, and traffic is light.
#[tokio::test(start_paused = true)]
async fn a_segment_that_cannot_be_removed_leaves_the_rest_of_the_spool_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let (passing, path) = (Arc::clone(&gate), folder.path().to_owned());
    let (attempts, misses) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (all, missing) = (Arc::clone(&attempts), Arc::clone(&misses));
    let transport = service_fn(move |report: Report| {
        let gate = Arc::clone(&passing);
        all.fetch_add(1, SeqCst);
        let is_there = segments(&path).iter().any(|segment| {
            let bytes = fs::read(segment).unwrap_or_default();
            memchr::memmem::find(&bytes, report.id().as_bytes()).is_some()
        });
        if !is_there {
            missing.fetch_add(1, SeqCst);
        }
        async move {
            let _permit = gate.acquire().await.unwrap();
            Ok::<_, DeliveryError>(())
        }
    });
    let simulated = start(spooling(folder.path(), Spooling::Always), transport, || 0.5);
    simulated.report();
    while attempts.load(SeqCst) == 0 {
        sleep(SECOND / 10).await;
    }
    let segment = segments(folder.path()).remove(0);
    fs::remove_file(&segment).unwrap();
    fs::create_dir(&segment).unwrap();
    fs::write(segment.join("in the way"), "").unwrap();
    gate.add_permits(1_000);
    sleep(10 * SECOND).await;

    let is_up = Arc::new(AtomicBool::new(false));
    let (orphan, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    for _ in 0..10 {
        orphan.report();
    }
    assert_eq!(orphan.shutdown(5 * SECOND).await.spooled, 10);
    orphan.worker.await.unwrap();

    let warnings = Warnings::default();
    let listening = tracing::subscriber::set_default(warnings.clone());
    for _ in 0..3_600 {
        simulated.report();
        sleep(SECOND).await;
    }
    drop(listening);
    let warnings = warnings.0.load(SeqCst);
    let stats = simulated.stats();
    let (attempts, misses) = (attempts.load(SeqCst), misses.load(SeqCst));
    assert_eq!(
        (stats.recovered, misses > 10, warnings > 60),
        (10, false, false),
        "in an hour: {} recovered of 10; {misses} of {attempts} were sent before they were on disk; {} failures; {warnings} warnings",
        stats.recovered,
        stats.spool_failures
    );
}

/// "An hour without a collector loses nothing that there is room for on disk", with a budget
/// smaller than a segment.
#[tokio::test(start_paused = true)]
async fn a_segment_in_memory_does_not_take_the_whole_budget() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let config =
        spooling(folder.path(), Spooling::WhenNeeded).limits(Limits { items: 1_000, ..Limits::default() });
    let (simulated, _) = switched(config, &is_up);
    for _ in 0..3_600 {
        for _ in 0..20 {
            simulated.report();
        }
        sleep(SECOND).await;
    }
    let stats = simulated.stats();
    assert_eq!(stats.dropped_total(), 0, "20 a second, an empty disk: {stats}; {} spooled", stats.spooled);
}

/// Streams that are still being read use more than half of the budget, while the collector is up.
#[tokio::test(start_paused = true)]
async fn a_budget_half_full_of_captures_does_not_stop_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let config =
        spooling(folder.path(), Spooling::WhenNeeded).limits(Limits { items: 20_000, ..Limits::default() });
    let (simulated, _) = switched(config, &is_up);
    hand_over(&simulated, 20_000).await;
    is_up.store(true, SeqCst);
    let streams: Vec<_> = (0..10_100).map(|_| simulated.sender.budget().admit().unwrap()).collect();
    for _ in 0..20_000 {
        simulated.report();
        sleep(SECOND / 1_000).await;
    }
    let stats = simulated.stats();
    assert!(stats.delivered > 35_000, "{stats}");
    drop(streams);
}

/// Counts warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicU64>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, SeqCst);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
