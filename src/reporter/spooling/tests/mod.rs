//! Promise 8 with the spool on: undelivered reports survive the worker. The disk is real, the clock
//! is paused.

mod generations;
mod hostile;
mod planted;
mod refusing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::config::Limits;
use crate::config::Spool;
use crate::config::{ConfigBuilder, Spooling};
use crate::report::Report;
use crate::reporter::tests::harness::{Attempt, Seen, Simulated, answering, builder, start};
use crate::reporter::tests::logging::Log;
use crate::stats::{DropReason, Stats};
use crate::transport::DeliveryError;

const SECOND: Duration = Duration::from_secs(1);
const FOREVER: Duration = Duration::from_secs(1_000_000);

fn small_spool(folder: &Path) -> ConfigBuilder {
    builder().spool(Spool::at(folder).with_max_bytes(100_000))
}

fn spooling(folder: &Path, spooling: Spooling) -> ConfigBuilder {
    builder().spool(Spool::at(folder).with_spooling(spooling))
}

/// Starts a worker whose collector is up or down according to the flag.
fn switched(config: ConfigBuilder, is_up: &Arc<AtomicBool>) -> (Simulated, Seen) {
    let is_up = Arc::clone(is_up);
    answering(
        config,
        || 0.5,
        move |_| match is_up.load(SeqCst) {
            true => Ok(()),
            false => Err(DeliveryError::unavailable()),
        },
    )
}

/// Lists all files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut segments = files(folder);
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    segments
}

#[track_caller]
fn assert_accounted(stats: &Stats) {
    assert_eq!(stats.captured, stats.settled() + stats.unsettled(), "{stats}");
}

/// Hands over reports, and pauses whenever 2,000 of them are in memory only.
async fn hand_over(simulated: &Simulated, reports: usize) {
    for _ in 0..reports {
        simulated.report();
        let stats = simulated.stats();
        if stats.pending - stats.pending_on_disk > 2_000 {
            sleep(SECOND / 100).await;
        }
    }
}

/// Counts the deliveries per report number.
fn taken(seen: &Seen) -> BTreeMap<u64, usize> {
    let mut taken = BTreeMap::new();
    for attempt in seen.all() {
        *taken.entry(attempt.number).or_default() += 1;
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_goes_to_disk_and_the_next_process_delivers_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [Spooling::WhenNeeded, Spooling::Always] {
        let is_up = Arc::new(AtomicBool::new(false));
        let (first, seen) = switched(spooling(folder.path(), mode), &is_up);
        hand_over(&first, 20_000).await;
        let ended = first.shutdown(5 * SECOND).await;
        assert_eq!((ended.spooled, ended.dropped, ended.delivered), (20_000, 0, 0), "{mode:?}");
        assert!(ended.is_complete());
        let stats = first.stats();
        assert_eq!((stats.spooled, stats.pending, stats.bytes_held), (20_000, 0, 0));
        assert_accounted(&stats);
        let ids: BTreeMap<u64, Uuid> =
            seen.all().iter().map(|attempt| (attempt.number, attempt.id)).collect();
        first.worker.await.unwrap();

        is_up.store(true, SeqCst);
        let (second, seen) = switched(spooling(folder.path(), mode), &is_up);
        sleep(SECOND).await;
        while second.stats().delivered < 20_000 {
            sleep(SECOND).await;
            assert!(second.stats().captured <= 20_000);
        }
        let stats = second.stats();
        assert_eq!((stats.captured, stats.recovered, stats.spooled, stats.pending), (20_000, 20_000, 0, 0));
        assert_accounted(&stats);
        assert_eq!(taken(&seen).len(), 20_000, "each once");
        for attempt in seen.all() {
            assert!(ids.get(&attempt.number).is_none_or(|id| *id == attempt.id), "the same ids");
        }
        second.shutdown(SECOND).await;
        second.worker.await.unwrap();
        assert_eq!(files(folder.path()), [] as [PathBuf; 0], "nothing is left");
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_a_collector_loses_nothing_that_there_is_room_for_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, seen) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    for _ in 0..3_600 {
        for _ in 0..20 {
            simulated.report();
        }
        sleep(SECOND).await;
        assert!(simulated.stats().pending < 10_000);
    }
    let stats = simulated.stats();
    assert_eq!((stats.captured, stats.unsettled(), stats.dropped_total()), (72_000, 72_000, 0), "{stats}");
    assert!(stats.bytes_held < 2 << 20, "{}", stats.bytes_held);
    let attempts = seen.all().len();

    is_up.store(true, SeqCst);
    while simulated.stats().unsettled() > 0 {
        sleep(SECOND).await;
        assert_accounted(&simulated.stats());
    }
    let stats = simulated.stats();
    assert_eq!((stats.delivered, stats.spooled, stats.bytes_held), (72_000, 0, 0));
    assert_eq!(seen.all().len() - attempts, 72_000, "each once");
    assert_eq!(segments(folder.path()).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn always_means_before_the_first_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let misses = Arc::new(Mutex::new(Vec::new()));
    let missing = Arc::clone(&misses);
    let check = move |attempt: Attempt| {
        let is_there = segments(&path).iter().any(|segment| {
            let bytes = fs::read(segment).unwrap();
            memchr::memmem::find(&bytes, attempt.id.as_bytes()).is_some()
        });
        if !is_there {
            missing.lock().unwrap().push(attempt.number);
        }
        Ok(())
    };
    let (simulated, _) = answering(spooling(folder.path(), Spooling::Always), || 0.5, check);
    for _ in 0..20 {
        for _ in 0..10 {
            simulated.report();
        }
        assert!(simulated.flush(FOREVER).await.is_complete());
    }
    assert_eq!(simulated.stats().delivered, 200);
    assert_eq!(*misses.lock().unwrap(), [] as [u64; 0]);
    assert_eq!((simulated.stats().spooled, simulated.stats().spool_failures), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_the_collector_chokes_on_does_not_hold_up_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (simulated, seen) = answering(
        spooling(folder.path(), Spooling::Always),
        || 0.5,
        |attempt| match attempt.number {
            7 => Err(DeliveryError::unavailable()),
            _ => Ok(()),
        },
    );
    hand_over(&simulated, 20_000).await;
    sleep(30 * SECOND).await;
    assert_eq!(simulated.stats().delivered, 19_999, "{}", simulated.stats());
    while simulated.stats().unsettled() > 0 {
        sleep(SECOND).await;
    }
    let stats = simulated.stats();
    assert_eq!((stats.dropped(DropReason::Undelivered), stats.spooled), (1, 0));
    let attempts = taken(&seen);
    assert_eq!((attempts[&7], attempts.values().filter(|count| **count > 1).count()), (20, 1));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_used_is_counted_named_in_the_log_and_tried_again() {
    let (log, _guard) = Log::here();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    fs::write(&path, "in the way").unwrap();
    let is_up = Arc::new(AtomicBool::new(true));
    let (simulated, _) = switched(spooling(&path, Spooling::Always), &is_up);
    for _ in 0..100 {
        simulated.report();
    }
    assert!(simulated.flush(FOREVER).await.is_complete());
    assert_eq!(simulated.stats().delivered, 100);
    assert!(simulated.stats().spool_failures > 0);
    let (lines, folder) = (log.lines(), format!("folder={path:?}"));
    assert!(lines.iter().any(|line| line.contains("WARN") && line.contains(&folder)), "{lines:#?}");

    is_up.store(false, SeqCst);
    fs::remove_file(&path).unwrap();
    simulated.report();
    sleep(120 * SECOND).await;
    assert_eq!((simulated.stats().pending_on_disk, segments(&path).len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_spool_that_is_full_leaves_the_rest_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let config = small_spool(folder.path()).limits(Limits { items: 1_000, ..Limits::default() });
    let (simulated, _) = switched(config, &is_up);
    for _ in 0..3_000 {
        simulated.report();
        sleep(SECOND / 100).await;
    }
    let stats = simulated.stats();
    assert!(stats.dropped(DropReason::TooManyItems) > 0 && stats.spooled > 100, "{stats}");
    assert!(
        files(folder.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>() <= 100_000
    );
    assert_accounted(&stats);
    is_up.store(true, SeqCst);
    while simulated.stats().unsettled() > 0 {
        sleep(SECOND).await;
    }
    assert_accounted(&simulated.stats());
    assert_eq!(simulated.stats().spooled, 0);
}

#[tokio::test(start_paused = true)]
async fn reports_that_are_damaged_on_disk_are_counted_and_cost_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, seen) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    hand_over(&simulated, 20_000).await;
    sleep(SECOND).await;
    assert_eq!(simulated.stats().dropped_total(), 0);
    let on_disk = segments(folder.path());
    assert!(on_disk.len() > 3);
    for segment in &on_disk[1..3] {
        let mut bytes = fs::read(segment).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(segment, bytes).unwrap();
    }
    is_up.store(true, SeqCst);
    while simulated.stats().unsettled() > 0 {
        sleep(SECOND).await;
    }
    let stats = simulated.stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Unreadable)), (19_998, 2), "{stats}");
    assert_accounted(&stats);
    let delivered: BTreeSet<_> = seen.all().iter().map(|attempt| attempt.number).collect();
    assert_eq!(delivered.len(), 19_998);
    let aside =
        files(folder.path()).into_iter().filter(|file| file.extension().is_some_and(|e| e == "corrupt"));
    assert_eq!(aside.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_a_folder_and_each_reports_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let workers = [(); 2].map(|()| switched(spooling(folder.path(), Spooling::Always), &is_up));
    for (worker, _) in &workers {
        for _ in 0..1_000 {
            worker.report();
        }
        worker.flush(SECOND).await;
    }
    is_up.store(true, SeqCst);
    for (worker, seen) in workers {
        while worker.stats().unsettled() > 0 {
            sleep(SECOND).await;
        }
        let stats = worker.stats();
        assert_eq!((stats.captured, stats.delivered, stats.recovered), (1_000, 1_000, 0));
        assert_eq!(taken(&seen).len(), 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_whose_reports_are_all_on_disk_does_not_wait_for_a_collector_that_takes_none() {
    for (mode, hangs) in [(Spooling::Always, true), (Spooling::Always, false), (Spooling::WhenNeeded, false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let transport = tower::service_fn(move |_: Report| async move {
            match hangs {
                true => std::future::pending().await,
                false => Err::<(), _>(DeliveryError::unavailable()),
            }
        });
        let simulated = start(spooling(folder.path(), mode), transport, || 0.5);
        for _ in 0..100 {
            simulated.report();
        }
        sleep(2 * SECOND).await;
        let began = Instant::now();
        let ended = simulated.shutdown(60 * SECOND).await;
        // A new connection of a healthy collector may take seconds.
        let most = if hangs { 4 * SECOND } else { SECOND };
        assert!(began.elapsed() < most, "{mode:?} {hangs}: {:?}", began.elapsed());
        assert_eq!((ended.spooled, ended.dropped), (100, 0), "{mode:?} {hangs}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_saves_a_single_report_as_soon_as_its_first_attempt_has_failed() {
    for error in [DeliveryError::unavailable, DeliveryError::timeout] {
        let folder = tempfile::tempdir().unwrap();
        let transport = tower::service_fn(move |_: Report| async move { Err::<(), _>(error()) });
        let simulated = start(spooling(folder.path(), Spooling::WhenNeeded), transport, || 0.5);
        simulated.report();
        let began = Instant::now();
        let ended = simulated.shutdown(60 * SECOND).await;
        assert_eq!((ended.spooled, ended.dropped), (1, 0));
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_goes_on_while_the_collector_takes_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let transport = tower::service_fn(|_: Report| async {
        sleep(2 * SECOND).await;
        Ok::<_, DeliveryError>(())
    });
    let simulated = start(spooling(folder.path(), Spooling::Always), transport, || 0.5);
    for _ in 0..100 {
        simulated.report();
    }
    let ended = simulated.shutdown(60 * SECOND).await;
    assert_eq!((ended.delivered, ended.spooled, ended.dropped), (100, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_log_says_how_many_reports_of_an_earlier_process_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (first, _) = switched(spooling(folder.path(), Spooling::Always), &is_up);
    (0..20).for_each(|_| first.report());
    sleep(SECOND).await;
    assert_eq!(first.shutdown(SECOND).await.spooled, 20);
    is_up.store(true, SeqCst);
    let (log, _guard) = Log::here();
    let (second, _) = switched(spooling(folder.path(), Spooling::Always), &is_up);
    while second.stats().delivered < 20 {
        sleep(SECOND).await;
    }
    second.shutdown(SECOND).await;
    let lines = log.all();
    assert!(lines.iter().any(|line| line.contains("INFO") && line.contains("recovered=20")), "{lines:#?}");
}
