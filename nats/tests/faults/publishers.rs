//! Publishers that are killed or stopped.

use std::collections::HashSet;

use tempfile::TempDir;

use crate::support::collector::Collector;
use crate::support::forwarder::Forwarder;
use crate::support::publisher::PublisherProcess;
use crate::support::server::Servers;
use crate::support::tally::Tally;
use crate::support::{runs, until};

async fn acknowledged(publisher: &PublisherProcess, number: usize) {
    until("enough reports are acknowledged", || async { publisher.seen().acknowledged.len() >= number })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn of_a_killed_publisher_every_acknowledged_report_is_delivered_once() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let publisher = PublisherProcess::start(&servers.addresses(), 1_000, None);
        acknowledged(&publisher, 3_000).await;
        let seen = publisher.kill().await;
        let tally =
            Tally::count("kill -9 publisher", seen.handed_over, &seen.acknowledged, &servers, &collector)
                .await;
        assert_eq!((tally.lost, tally.dead, tally.duplicates), (0, 0, 0));
        assert!(tally.acknowledged <= tally.delivered && tally.delivered as u64 <= tally.handed_over + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn the_next_publisher_sends_what_a_killed_one_had_on_disk_and_nothing_is_delivered_twice() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let folder = TempDir::new().unwrap();
        let first = PublisherProcess::start(&servers.addresses(), 1_000, Some(folder.path()));
        acknowledged(&first, 3_000).await;
        let first = first.kill().await;
        let second = PublisherProcess::start(&servers.addresses(), 100, Some(folder.path()));
        acknowledged(&second, 200).await;
        let second = second.terminate().await;
        let acknowledged: HashSet<_> = first.acknowledged.union(&second.acknowledged).copied().collect();
        let handed_over = first.handed_over + second.handed_over;
        let what = "kill -9 publisher with a spool";
        let tally = Tally::count(what, handed_over, &acknowledged, &servers, &collector).await;
        assert_eq!((tally.lost, tally.dead, tally.duplicates), (0, 0, 0));
        assert!(tally.acknowledged <= tally.delivered && tally.delivered as u64 <= tally.handed_over + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_publisher_that_is_stopped_delivers_everything_first() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let publisher = PublisherProcess::start(&servers.addresses(), 1_000, None);
        acknowledged(&publisher, 3_000).await;
        let seen = publisher.terminate().await;
        let tally =
            Tally::count("SIGTERM publisher", seen.handed_over, &seen.acknowledged, &servers, &collector)
                .await;
        tally.all_once();
    }
}
