//! The worker on a spool with planted files, at the scale of a test.

#[cfg(unix)]
mod nodes;

use std::fs::{create_dir_all, write};

use super::*;
use crate::reporter::tests::logging::Log;
use crate::spool::app_folder;

const BEGINNING: &str = r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0"}"#;
const KEYS_AT: usize = BEGINNING.len() - 1;
const MARKER: &[u8] = b"\xFFREC\r\n\0\x01";

/// The result of a run.
struct Verdict {
    /// The numbers of the planted reports that were sent.
    sent: Vec<u64>,
    stats: Stats,
    log: Vec<String>,
}

fn checked(head: &[u8], length: &[u8], payload: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(&[length, payload].concat()).to_le_bytes();
    [head, length, &sum, payload].concat()
}

fn header() -> Vec<u8> {
    checked(&[], b"\x89RCSPOOL\x01\0\0\0", &[])
}

fn framed(payload: &[u8]) -> Vec<u8> {
    checked(MARKER, &u32::try_from(payload.len()).unwrap().to_le_bytes(), payload)
}

fn record(number: u64, created: u64, flags: u8, keys_at: usize) -> Vec<u8> {
    let json = format!(r#"{BEGINNING},"user":{{}},"request":{number},"response":{{}}}}"#);
    let id = Uuid::from_u128(number.into());
    let head = [&created.to_le_bytes()[..], &[flags, 1, 0, 0, 0], id.as_bytes(), &[0]].concat();
    let lengths = [keys_at, json.len()].map(|length| u32::try_from(length).unwrap().to_le_bytes());
    framed(&[&head, lengths.as_flattened(), json.as_bytes()].concat())
}

fn good(number: u64) -> Vec<u8> {
    record(number, 4_000_000_000_000, 0, KEYS_AT)
}

fn segment_of(records: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    [header(), records.into_iter().collect::<Vec<_>>().concat()].concat()
}

fn app(spool: &Path) -> PathBuf {
    spool.join(app_folder("app").to_string())
}

/// Creates the folder of a dead process, without a lock.
fn dead(spool: &Path) -> PathBuf {
    let folder = app(spool).join(Uuid::new_v4().to_string());
    create_dir_all(&folder).unwrap();
    folder
}

fn locked(spool: &Path) -> PathBuf {
    let folder = dead(spool);
    write(folder.join("lock"), "").unwrap();
    folder
}

fn segment(number: u64) -> String {
    format!("{number:020}.seg")
}

fn aside(spool: &Path) -> usize {
    files(spool)
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "corrupt"))
        .count()
}

/// Runs a process on the planted files for eight minutes, with one report of its own, and ends it.
async fn judge(spool: &Path) -> Verdict {
    let (log, _guard) = Log::here();
    let is_up = Arc::new(AtomicBool::new(true));
    let (simulated, seen) = switched(spooling(spool, Spooling::WhenNeeded), &is_up);
    simulated.report();
    sleep(480 * SECOND).await;
    let stats = simulated.stats();
    assert_accounted(&stats);
    assert_eq!(stats.pending, 0, "nothing is held up: {stats}");
    simulated.shutdown(SECOND).await;
    simulated.worker.await.unwrap();
    let mut sent: Vec<_> =
        seen.all().iter().map(|attempt| attempt.number).filter(|number| *number > 0).collect();
    sent.sort_unstable();
    Verdict { sent, stats, log: log.lines() }
}

#[tokio::test(start_paused = true)]
async fn planted_reports_that_are_sound_are_sent() {
    let spool = tempfile::tempdir().unwrap();
    write(locked(spool.path()).join(segment(1)), segment_of((1..=20).map(good))).unwrap();
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent, verdict.log.len()), (Vec::from_iter(1..=20), 0));
    assert_eq!(files(spool.path()), [] as [PathBuf; 0]);
}

#[tokio::test(start_paused = true)]
async fn planted_garbage_is_set_aside_in_one_episode() {
    let spool = tempfile::tempdir().unwrap();
    let folder = locked(spool.path());
    for number in 1..=300_u64 {
        write(folder.join(segment(number)), vec![1; 500]).unwrap();
    }
    let Verdict { sent, log, stats } = judge(spool.path()).await;
    assert_eq!((sent.len(), stats.spool_failures, aside(spool.path())), (0, 300, 16));
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log[0].contains("are damaged") && log[0].contains(".seg.corrupt"), "{log:#?}");
    assert!(log[1].contains("segments=300") && log[1].contains("records=300"), "{log:#?}");
}

#[tokio::test(start_paused = true)]
async fn planted_lengths_and_counts_are_not_believed() {
    let spool = tempfile::tempdir().unwrap();
    let folder = locked(spool.path());
    for (number, length) in (1..).zip([0, 1, 1 << 31, u32::MAX, 12, 13]) {
        let record = [MARKER, &u32::to_le_bytes(length), &[0; 4], &[b'x'; 100]].concat();
        write(folder.join(segment(number)), segment_of([record])).unwrap();
    }
    let many = [&[0; 9][..], &[255; 4], &[b'x'; 100]].concat();
    let long = [&[0; 9][..], &[1, 0, 0, 0], &[b'i'; 16], &[0], &[255; 8], &[b'x'; 100]].concat();
    write(folder.join(segment(9)), segment_of([framed(&many), good(1), framed(&long), good(2)])).unwrap();
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent, verdict.log.len()), (vec![1, 2], 2));
    // Two records claim to be longer than the file. They look truncated by a crash, and such a
    // record was never acknowledged.
    assert_eq!(aside(spool.path()), 5);
}

#[tokio::test(start_paused = true)]
async fn a_planted_place_for_the_keys_is_corrupt_wherever_it_is() {
    let spool = tempfile::tempdir().unwrap();
    let json = BEGINNING.len() + r#","user":{}"#.len();
    let places = [0, 5, 12, KEYS_AT - 1, KEYS_AT + 1, json - 1, json, 1 << 31];
    let records = places.into_iter().zip(1..).map(|(place, number)| record(number, 0, 0, place));
    write(locked(spool.path()).join(segment(1)), segment_of(records.chain([good(9)]))).unwrap();
    let Verdict { sent, log, .. } = judge(spool.path()).await;
    assert_eq!(sent, [9]);
    assert!(log[0].contains("records=8"), "{log:#?}");
}

#[tokio::test(start_paused = true)]
async fn planted_reports_of_another_app_are_left_alone() {
    let spool = tempfile::tempdir().unwrap();
    let folder = spool.path().join(app_folder("another").to_string()).join(Uuid::new_v4().to_string());
    create_dir_all(&folder).unwrap();
    write(folder.join(segment(1)), segment_of([good(1)])).unwrap();
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent.len(), verdict.log.len()), (0, 0));
    assert_eq!(files(spool.path()), [folder.join(segment(1))]);
}

#[tokio::test(start_paused = true)]
async fn planted_times_and_flags_hold_nothing_up() {
    let spool = tempfile::tempdir().unwrap();
    let odd = [(0, 0), (u64::MAX, 0), (1, 255), (1, 1), (1, 2)];
    let records =
        odd.into_iter().zip(1..).map(|((created, flags), number)| record(number, created, flags, KEYS_AT));
    write(locked(spool.path()).join(segment(1)), segment_of(records)).unwrap();
    let Verdict { sent, stats, .. } = judge(spool.path()).await;
    // An item whose flags record an earlier failure counts as failed.
    assert_eq!((sent, stats.delivered, stats.rejected), (vec![1, 2, 3, 4, 5], 3, 1));
    assert_eq!(files(spool.path()), [] as [PathBuf; 0]);
}

#[tokio::test(start_paused = true)]
async fn planted_files_with_holes_or_nothing_but_markers_are_not_read() {
    let spool = tempfile::tempdir().unwrap();
    let folder = locked(spool.path());
    for (number, length) in [(1, 256 << 20), (2, 8 << 30)] {
        write(folder.join(segment(number)), header()).unwrap();
        fs::File::options().write(true).open(folder.join(segment(number))).unwrap().set_len(length).unwrap();
    }
    write(folder.join(segment(3)), segment_of([MARKER.repeat(200_000)])).unwrap();
    write(folder.join(segment(4)), segment_of([good(1).repeat(40_000)])).unwrap();
    write(folder.join(segment(5)), segment_of([good(1)])).unwrap();
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent, verdict.stats.spool_failures, verdict.log.len()), (vec![1], 4, 2));
    // Segments beyond a quarter of the size limit are removed at once.
    assert_eq!(aside(spool.path()), 2);
}

#[tokio::test(start_paused = true)]
async fn many_planted_segments_and_folders_are_all_looked_at() {
    let spool = tempfile::tempdir().unwrap();
    let folder = locked(spool.path());
    for number in 1..=300 {
        write(folder.join(segment(number)), segment_of([good(number)])).unwrap();
        locked(spool.path());
    }
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent, verdict.log.len()), (Vec::from_iter(1..=300), 0));
    assert_eq!(fs::read_dir(spool.path()).unwrap().count(), 0, "nothing is left");
}

#[tokio::test(start_paused = true)]
async fn orphans_of_an_idle_process_are_adopted_within_a_minute() {
    let spool = tempfile::tempdir().unwrap();
    let is_up = Arc::new(AtomicBool::new(true));
    let (simulated, seen) = switched(spooling(spool.path(), Spooling::WhenNeeded), &is_up);
    sleep(3_600 * SECOND).await;
    let planted = tokio::time::Instant::now();
    write(locked(spool.path()).join(segment(1)), segment_of([good(1)])).unwrap();
    sleep(120 * SECOND).await;
    let attempt = seen.all()[0];
    assert!(attempt.number == 1 && attempt.at - planted <= 61 * SECOND, "{:?}", attempt.at - planted);
    assert_eq!(simulated.stats().recovered, 1);
}
