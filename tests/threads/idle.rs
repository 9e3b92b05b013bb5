//! Promise 2: nobody notices the layer, and a process that does nothing goes on doing nothing.

use std::fs;
use std::time::Duration;

use axum::Router;
use tower_reconify::{Config, ReconifyLayer};

use super::lifetime::alone;
use crate::support::gateway::serve;
use crate::support::{ANSWER, PATIENCE, begin, json};

/// How often the worker's thread has gone to sleep: once for each time that something woke it.
fn naps() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    // A thread of the test harness can end between the two looks.
    let is_worker = |thread: &std::path::PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == "reconify")
    };
    let workers = threads.filter(is_worker);
    let naps = |worker: std::path::PathBuf| {
        let status = fs::read_to_string(worker.join("status")).unwrap();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    };
    let naps: Vec<u64> = workers.map(naps).collect();
    assert_eq!(naps.len(), 1, "there is one worker");
    naps.into_iter().sum()
}

/// Time is what is looked at here: an idle second, in which nothing may happen. It comes sooner or later, however busy the machine
/// is; to a worker that goes on looking it never does.
#[test]
fn a_worker_with_nothing_to_do_sleeps_on() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(stays_asleep());
}

async fn stays_asleep() {
    let collector = serve(Router::new().fallback(async || "thanks")).await;
    let config = Config::builder("app", "key").endpoint(format!("http://{collector}/track")).build().unwrap();
    let layer = ReconifyLayer::new(config);
    drop(begin(&layer, json(ANSWER)).await);
    assert!(layer.reporter().flush(PATIENCE).await.is_complete());
    let mut is_quiet = false;
    for _ in 0..15 {
        let before = naps();
        tokio::time::sleep(Duration::from_secs(1)).await;
        is_quiet = naps() == before;
        if is_quiet {
            break;
        }
    }
    assert!(is_quiet, "something wakes it every second");
}
