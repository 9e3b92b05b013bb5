//! Regressions: disks and collectors that once cost reports, time or the spool.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// Expects the retry policy's schedule for a report that fails: 250, 500, 1000, 2000 ms … with a
/// random number of 0.5.
#[tokio::test(start_paused = true)]
async fn two_reports_that_the_collector_chokes_on_are_tried_with_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let (simulated, seen) = answering(
        spooling(folder.path(), Spooling::Always),
        || 0.5,
        |attempt| match attempt.number {
            7 | 15_000 => Err(DeliveryError::unavailable()),
            _ => Ok(()),
        },
    );
    hand_over(&simulated, 20_000).await;
    for _ in 0..3_600 {
        sleep(SECOND).await;
        if simulated.stats().unsettled() == 0 {
            break;
        }
    }
    let all = seen.all();
    for poison in [7, 15_000] {
        let at: Vec<_> =
            all.iter().filter(|a| a.number == poison).map(|a| (a.at - all[0].at).as_millis()).collect();
        let took = at.last().unwrap() - at.first().unwrap();
        assert!(took > 100_000, "{poison}: {} attempts in {took} ms: {at:?}", at.len());
    }
}

/// A transient read error.
#[tokio::test(start_paused = true)]
async fn a_segment_that_could_not_be_read_once_is_read_later() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    hand_over(&simulated, 20_000).await;
    sleep(10 * SECOND).await;
    let on_disk = segments(folder.path());
    assert!(on_disk.len() > 3);
    let (segment, aside) = (&on_disk[2], folder.path().join("elsewhere"));
    fs::rename(segment, &aside).unwrap();
    fs::create_dir(segment).unwrap();
    is_up.store(true, SeqCst);
    sleep(10 * 60 * SECOND).await;
    fs::remove_dir(segment).unwrap();
    fs::rename(&aside, segment).unwrap();
    sleep(24 * HOUR).await;
    let stats = simulated.stats();
    assert_eq!((stats.unsettled(), stats.delivered), (0, 20_000), "a day later: {stats}; {stats:?}");
}

/// A segment truncated to zero bytes.
#[tokio::test(start_paused = true)]
async fn reports_of_an_emptied_segment_are_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    hand_over(&simulated, 20_000).await;
    sleep(10 * SECOND).await;
    let on_disk = segments(folder.path());
    assert!(on_disk.len() > 3);
    fs::File::options().write(true).open(&on_disk[2]).unwrap().set_len(0).unwrap();
    is_up.store(true, SeqCst);
    sleep(24 * HOUR).await;
    let stats = simulated.stats();
    assert_eq!(segments(folder.path()), [] as [PathBuf; 0]);
    assert_eq!((stats.pending, stats.spooled), (0, 0), "no file is left: {stats}");
    assert!(stats.dropped(DropReason::Unreadable) > 0);
}

/// The reports left by an earlier process exceed the size limit of this one.
#[tokio::test(start_paused = true)]
async fn a_report_that_the_collector_chokes_on_does_not_hold_up_a_spool_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (first, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    hand_over(&first, 20_000).await;
    let ended = first.shutdown(5 * SECOND).await;
    assert_eq!(ended.spooled, 20_000);
    first.worker.await.unwrap();
    let config = small_spool(folder.path());
    let (second, _) = answering(
        config,
        || 0.5,
        |attempt| match attempt.number {
            7 => Err(DeliveryError::unavailable()),
            _ => Ok(()),
        },
    );
    sleep(120 * SECOND).await;
    assert_eq!(second.stats().delivered, 19_999, "after two minutes: {}", second.stats());
}

/// The disk fails for a while, recovers, and then the process shuts down.
#[tokio::test(start_paused = true)]
async fn a_shutdown_after_the_disk_has_come_back_saves_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    fs::write(&path, "in the way").unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, _) = switched(spooling(&path, Spooling::WhenNeeded), &is_up);
    for _ in 0..10 {
        simulated.report();
    }
    // The pauses are 1, 2, 4 … 60 s: the last one ends at 603 s.
    sleep(570 * SECOND).await;
    fs::remove_file(&path).unwrap();
    let ended = simulated.shutdown(5 * SECOND).await;
    assert_eq!((ended.spooled, ended.dropped), (10, 0), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_knows_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    for _ in 0..10 {
        simulated.report();
    }
    let ended = simulated.reporter.shutdown(5 * SECOND).await;
    assert_eq!((ended.spooled, ended.exchanges_open), (10, 0));
    let again = simulated.reporter.shutdown(SECOND).await;
    assert_eq!(
        (again.spooled, again.exchanges_open),
        (10, 0),
        "in flight: 'nobody will report them': {again:?}"
    );
}

/// A flush waits until all interactions handed over before the call are settled, up to the
/// deadline.
#[tokio::test(start_paused = true)]
async fn a_flush_that_is_complete_has_delivered_what_was_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (simulated, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    hand_over(&simulated, 20_000).await;
    sleep(10 * SECOND).await;
    is_up.store(true, SeqCst);
    let flushed = simulated.flush(HOUR).await;
    let stats = simulated.stats();
    assert!(!flushed.is_complete() || stats.unsettled() == 0, "{flushed:?}, and {stats}");
}

#[tokio::test(start_paused = true)]
async fn reports_of_a_former_process_are_tried_with_pauses_while_the_collector_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let (first, _) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    for _ in 0..3 {
        first.report();
    }
    assert_eq!(first.shutdown(SECOND).await.spooled, 3);
    first.worker.await.unwrap();
    let (second, seen) = switched(spooling(folder.path(), Spooling::WhenNeeded), &is_up);
    sleep(10 * SECOND).await;
    let attempts = seen.all().len();
    assert!((3..30).contains(&attempts), "{attempts} attempts for three reports in ten seconds");
    is_up.store(true, SeqCst);
    for _ in 0..600 {
        sleep(SECOND).await;
    }
    assert_eq!(second.stats().delivered, 3, "{}", second.stats());
}
