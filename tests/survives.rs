//! Promise 8 with `Spooling::Always`: what was on disk when a process was killed is delivered by the next one.
//! A binary of its own, because it starts itself as the process that is killed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::PATIENCE;
use tower::service_fn;
use tower_reconify::{
    Config, DeliveryError, Interaction, InteractionKind, ReconifyLayer, Report, Spool, Spooling, Stats,
};

/// How often a process is killed, if `RECONIFY_KILLS` does not say otherwise.
const KILLS: u64 = 50;

/// Long enough that a segment of 1 MiB holds no more than fifty.
const LENGTH: usize = 20_000;
const SEGMENT: usize = 1024 * 1024 / LENGTH;

fn config(folder: &Path) -> Config {
    let config = Config::builder("app", "key").endpoint("http://127.0.0.1:9/track");
    config.spool(Spool::at(folder).with_spooling(Spooling::Always)).build().unwrap()
}

/// The number that a report was made with, and its id.
fn identity(report: &Report) -> (u64, String) {
    let json: Value = serde_json::from_str(report.json()).unwrap();
    (json["request"]["number"].as_u64().unwrap(), report.id().to_string())
}

/// What the process does that is killed: it reports as fast as it can, and notes how many reports are on disk, which were
/// tried, and which were taken.
#[test]
#[ignore = "the process that is killed"]
fn child() {
    let folder = std::env::var_os("SURVIVES_FOLDER").expect("started by the other test");
    let takes: u32 = std::env::var("SURVIVES_TAKES").unwrap().parse().unwrap();
    let folder = Path::new(&folder);
    let note = |name: &str| {
        let file = OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
        move |line: String| (&file).write_all(line.as_bytes()).unwrap()
    };
    let (tried, taken, safe) = (note("tried"), note("taken"), note("safe"));
    let layer = ReconifyLayer::with_transport(
        config(&folder.join("spool")),
        service_fn(move |report: Report| {
            let (number, id) = identity(&report);
            tried(format!("{number} {id}\n"));
            let is_taken = fastrand::u32(0..100) < takes;
            if is_taken {
                taken(format!("{number} {id}\n"));
            }
            std::future::ready(if is_taken { Ok(()) } else { Err(DeliveryError::unavailable()) })
        }),
    );
    let reporter = layer.reporter();
    let filler = "x".repeat(LENGTH);
    let began = Instant::now();
    for number in 0_u64.. {
        let request = serde_json::json!({"number": number, "filler": filler});
        reporter.report(Interaction::new(InteractionKind::Chat, &request, &"answer").unwrap());
        let is_ahead = |stats: Stats| stats.pending - stats.pending_on_disk > 100;
        while is_ahead(reporter.stats()) {
            assert!(began.elapsed() < PATIENCE, "nobody killed it");
            std::thread::yield_now();
        }
        if takes == 0 {
            let stats = reporter.stats();
            safe(format!("{}\n", stats.spooled + stats.pending_on_disk));
        }
    }
}

/// The numbers and ids in a file, and how often they are there. The last line may be torn.
fn noted(file: &Path) -> BTreeMap<(u64, String), usize> {
    let mut noted = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap_or_default().split_inclusive('\n') {
        if let Some((number, id)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) {
            *noted.entry((number.parse().unwrap(), id.to_owned())).or_default() += 1;
        }
    }
    noted
}

/// What the next process delivers.
fn recovered(folder: &Path) -> BTreeMap<(u64, String), usize> {
    let dead = processes(folder);
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let noting = Arc::clone(&seen);
    let layer = ReconifyLayer::with_transport(
        config(folder),
        service_fn(move |report: Report| {
            *noting.lock().unwrap().entry(identity(&report)).or_default() += 1;
            std::future::ready(Ok::<_, DeliveryError>(()))
        }),
    );
    let reporter = layer.reporter();
    let began = Instant::now();
    while dead.iter().any(|process| process.exists()) || processes(folder).iter().any(|own| segments(own) > 0)
    {
        assert!(began.elapsed() < PATIENCE, "{}", reporter.stats());
        futures_executor::block_on(reporter.flush(Duration::from_millis(5)));
    }
    let ended = futures_executor::block_on(reporter.shutdown(PATIENCE));
    assert_eq!((ended.dropped, ended.spooled), (0, 0));
    let stats = reporter.stats();
    assert_eq!((stats.captured, stats.recovered), (stats.delivered, stats.delivered), "{stats}");
    Arc::into_inner(std::mem::take(&mut *seen.lock().unwrap()).into()).unwrap()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The folders of all processes, of the one app that there is.
fn processes(folder: &Path) -> Vec<PathBuf> {
    entries(folder).iter().flat_map(|app| entries(app)).collect()
}

fn segments(process: &Path) -> usize {
    let is_segment = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "seg");
    entries(process).into_iter().filter(is_segment).count()
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_was_on_disk_and_repeats_one_segment_at_the_most() {
    let kills = std::env::var("RECONIFY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let (mut tried_in_all, mut recovered_in_all, mut repeated_in_all) = (0, 0, 0);
    for kill in 0..kills {
        let folder = tempfile::tempdir().unwrap();
        // A collector that takes nothing, one that takes some, and one that takes all.
        let takes = [0, 70, 100][usize::try_from(kill % 3).unwrap()];
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env("SURVIVES_FOLDER", folder.path())
            .env("SURVIVES_TAKES", takes.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A random moment: after a number of attempts or, if the collector takes nothing, of reports on disk.
        let (mark, line) = if takes == 0 { ("safe", 4) } else { ("tried", 40) };
        let enough = fastrand::usize(1..400) * line;
        let began = Instant::now();
        while fs::metadata(folder.path().join(mark)).map_or(0, |file| file.len()) < enough as u64 {
            assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "it works");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let (tried, taken) = (noted(&folder.path().join("tried")), noted(&folder.path().join("taken")));
        let recovered = recovered(&folder.path().join("spool"));
        let numbers: BTreeSet<u64> =
            recovered.keys().chain(taken.keys()).map(|(number, _)| *number).collect();
        assert!(taken.values().all(|count| *count == 1), "each once in a process that lives");
        for (number, id) in tried.keys() {
            assert!(numbers.contains(number), "{number} was on disk before it was tried, and is lost");
            let is_same = |other: &(u64, String)| other.0 != *number || other.1 == *id;
            assert!(recovered.keys().all(is_same), "the same id");
        }
        let safe = fs::read_to_string(folder.path().join("safe")).unwrap_or_default();
        let safe = safe.lines().rev().nth(1).map_or(0, |count| count.parse::<u64>().unwrap());
        assert!((0..safe).all(|number| numbers.contains(&number)), "{safe} were on disk");
        let sent = |report: &(u64, String)| usize::from(taken.contains_key(report));
        let repeated: usize = recovered.iter().map(|(report, count)| sent(report) + count - 1).sum();
        assert!(repeated <= SEGMENT, "{repeated} is more than one segment holds");
        tried_in_all += tried.len();
        recovered_in_all += recovered.len();
        repeated_in_all += repeated;
    }
    println!(
        "{kills} kills: {tried_in_all} tried, {recovered_in_all} recovered, {repeated_in_all} of them taken before"
    );
    assert!(recovered_in_all > 0 && tried_in_all > 0);
}
