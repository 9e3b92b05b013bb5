//! Servers that fail, are away, are full, or refuse.

use tempfile::TempDir;
use tower_reconify::{FailureClass, Limits, Spool};

use reconify_nats::NatsTransport;

use crate::support::collector::Collector;
use crate::support::forwarder::Forwarder;
use crate::support::publisher::{Publisher, config};
use crate::support::server::Servers;
use crate::support::tally::Tally;
use crate::support::{is_long, outage, pause, runs, until};

async fn all_once(what: &str, publisher: &Publisher, servers: &Servers, collector: &Collector) {
    publisher.settled().await;
    let tally =
        Tally::count(what, publisher.handed_over, &publisher.acknowledged(), servers, collector).await;
    tally.all_once();
}

async fn failed_with(publisher: &Publisher, class: FailureClass) {
    until("the class of the failure is reported", || async {
        publisher.reporter.stats().last_failure == Some(class)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn the_only_server_can_be_killed_and_nothing_is_lost_or_delivered_twice() {
    for _ in 0..runs() {
        let (mut servers, collector) = (Servers::one().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let publishing = publisher.publish(6_000, 1_000);
        let killing = async {
            pause(2_000).await;
            servers.kill_all().await;
            pause(1_000).await;
            servers.start_all().await;
        };
        tokio::join!(publishing, killing);
        all_once("kill -9 the only server", &publisher, &servers, &collector).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn the_only_server_can_be_stopped_and_nothing_is_lost_or_delivered_twice() {
    for _ in 0..runs() {
        let (mut servers, collector) = (Servers::one().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let publishing = publisher.publish(6_000, 1_000);
        let stopping = async {
            pause(2_000).await;
            servers.terminate_all().await;
            pause(1_000).await;
            servers.start_all().await;
        };
        tokio::join!(publishing, stopping);
        all_once("SIGTERM the only server", &publisher, &servers, &collector).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn the_leader_of_three_can_be_killed_and_nothing_is_lost_or_delivered_twice() {
    restart_leader("kill -9 the leader of three", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn the_leader_of_three_can_be_stopped_and_nothing_is_lost_or_delivered_twice() {
    restart_leader("SIGTERM the leader of three", false).await;
}

async fn restart_leader(what: &str, is_killed: bool) {
    if !is_long() {
        return;
    }
    for _ in 0..runs() {
        let (mut servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let publishing = publisher.publish(6_000, 1_000);
        let restarting = async {
            pause(2_000).await;
            servers.restart_leader("RECONIFY", is_killed).await;
        };
        tokio::join!(publishing, restarting);
        all_once(what, &publisher, &servers, &collector).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn while_nats_is_away_the_memory_holds_what_fits_and_the_spool_holds_more() {
    for _ in 0..runs() {
        let (mut servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let folder = TempDir::new().unwrap();
        let mut in_memory = Publisher::start(servers.list());
        // A memory for three seconds, which the outage exceeds.
        let limits = Limits { items: 3_000, ..Limits::default() };
        let config = config().limits(limits).spool(Spool::at(folder.path()));
        let mut on_disk = Publisher::with(config, NatsTransport::new(servers.list()));
        let away = outage(20);
        let seconds = 4 + away.as_secs();
        let publishing = async {
            tokio::join!(in_memory.publish(300 * seconds, 300), on_disk.publish(1_000 * seconds, 1_000))
        };
        let failing = async {
            pause(2_000).await;
            servers.kill_all().await;
            tokio::time::sleep(away).await;
            servers.start_all().await;
        };
        tokio::join!(publishing, failing);
        in_memory.settled().await;
        on_disk.settled().await;
        let handed_over = in_memory.handed_over + on_disk.handed_over;
        let acknowledged = in_memory.acknowledged().union(&on_disk.acknowledged()).copied().collect();
        let tally = Tally::count("NATS away", handed_over, &acknowledged, &servers, &collector).await;
        tally.all_once();
        let classes = [FailureClass::Timeout, FailureClass::Unreachable, FailureClass::Unavailable];
        for publisher in [in_memory, on_disk] {
            let class = publisher.reporter.stats().last_failure;
            assert!(class.is_some_and(|class| classes.contains(&class)), "{class:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_full_stream_takes_no_more_and_publishers_hold_the_rest() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let small = [("RECONIFY_NATS_MAX_BYTES", "1000000"), ("RECONIFY_NATS_DEAD_MAX_BYTES", "100000000")];
        // It makes the streams.
        let forwarder = Forwarder::start_with(&servers, &collector, &small).await;
        forwarder.ready().await;
        forwarder.terminate().await;
        let mut publisher = Publisher::start(servers.list());
        publisher.publish(2_000, 1_000).await;
        failed_with(&publisher, FailureClass::Unavailable).await;
        assert!(publisher.reporter.stats().pending > 500, "{:?}", publisher.reporter.stats());
        let _forwarder = Forwarder::start_with(&servers, &collector, &small).await;
        all_once("stream full", &publisher, &servers, &collector).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn without_a_stream_publishers_hold_everything_until_there_is_one() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let mut publisher = Publisher::start(servers.list());
        publisher.publish(500, 500).await;
        failed_with(&publisher, FailureClass::Unavailable).await;
        assert_eq!(publisher.reporter.stats().pending, 500);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        all_once("stream missing", &publisher, &servers, &collector).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn with_wrong_credentials_publishers_hold_everything_until_they_are_right() {
    for _ in 0..runs() {
        let login = |password| format!("authorization {{ user: gateway, password: {password} }}");
        let (mut servers, collector) = (Servers::with(1, &login("old")).await, Collector::start().await);
        let mut publisher = Publisher::with_login(servers.list(), "new");
        publisher.publish(500, 500).await;
        failed_with(&publisher, FailureClass::Unauthorized).await;
        assert_eq!(publisher.reporter.stats().pending, 500);
        servers.terminate_all().await;
        servers.set_lines(&login("new"));
        servers.start_all().await;
        let settings = [("RECONIFY_NATS_USER", "gateway"), ("RECONIFY_NATS_PASSWORD", "new")];
        let forwarder = Forwarder::start_with(&servers, &collector, &settings).await;
        forwarder.ready().await;
        publisher.settled().await;
        until("all are delivered", || async { collector.delivered() == 500 }).await;
        forwarder.terminate().await;
        // The tally has no credentials.
        servers.terminate_all().await;
        servers.set_lines("");
        servers.start_all().await;
        all_once("wrong credentials", &publisher, &servers, &collector).await;
    }
}
