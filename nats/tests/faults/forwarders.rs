//! Forwarders that are killed, stopped, or several.

use std::time::Duration;

use crate::support::collector::{Answers, Collector};
use crate::support::forwarder::Forwarder;
use crate::support::publisher::Publisher;
use crate::support::server::Servers;
use crate::support::tally::Tally;
use crate::support::{pause, runs, until};

/// The default of `RECONIFY_FORWARDER_DELIVERIES`.
const DELIVERIES: u32 = 32;

/// Posts that were answered, but whose acknowledgement had not reached JetStream.
const ACKNOWLEDGING: u32 = 4;

async fn delivered(collector: &Collector, number: usize) {
    until("enough reports are delivered", || async { collector.delivered() >= number }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_killed_forwarder_loses_nothing_and_repeats_at_most_what_it_was_posting() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        collector.answers(Answers { takes: Duration::from_millis(50), ..Answers::default() });
        let mut forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let mut goal = 300;
        let publishing = publisher.publish(3_000, 600);
        let killing = async {
            for _ in 0..3 {
                delivered(&collector, goal).await;
                forwarder.kill().await;
                forwarder = Forwarder::start(&servers, &collector).await;
                goal = collector.delivered() + 300;
            }
            forwarder
        };
        let (_forwarder, ()) = tokio::join!(killing, publishing);
        publisher.settled().await;
        let what = "kill -9 forwarder three times";
        let tally =
            Tally::count(what, publisher.handed_over, &publisher.acknowledged(), &servers, &collector).await;
        assert_eq!((tally.acknowledged, tally.delivered, tally.dead, tally.lost), (3_000, 3_000, 0, 0));
        assert!(tally.duplicates <= 3 * (DELIVERIES + ACKNOWLEDGING), "{tally:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_stopped_forwarder_finishes_what_it_was_posting_and_returns_the_rest() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        collector.answers(Answers { takes: Duration::from_millis(50), ..Answers::default() });
        let mut forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let publishing = publisher.publish(3_000, 600);
        let stopping = async {
            for goal in [500, 1_000, 1_500] {
                delivered(&collector, goal).await;
                forwarder.terminate().await;
                forwarder = Forwarder::start(&servers, &collector).await;
            }
            forwarder
        };
        let (_forwarder, ()) = tokio::join!(stopping, publishing);
        publisher.settled().await;
        let what = "SIGTERM forwarder three times";
        let tally =
            Tally::count(what, publisher.handed_over, &publisher.acknowledged(), &servers, &collector).await;
        tally.all_once();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn forwarders_that_join_and_leave_share_the_work_and_nothing_is_delivered_twice() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        collector.answers(Answers { takes: Duration::from_millis(10), ..Answers::default() });
        let first = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let publishing = publisher.publish(6_000, 1_000);
        let changing = async {
            delivered(&collector, 1_000).await;
            let second = Forwarder::start(&servers, &collector).await;
            delivered(&collector, 3_000).await;
            let shared = second.metric("reconify_forwarder_delivered_total").await;
            assert!(shared > 0, "the second one works");
            first.terminate().await;
            second
        };
        let (_second, ()) = tokio::join!(changing, publishing);
        publisher.settled().await;
        let what = "a forwarder joins, another leaves";
        let tally =
            Tally::count(what, publisher.handed_over, &publisher.acknowledged(), &servers, &collector).await;
        tally.all_once();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_forwarder_without_a_server_is_not_ready_and_starts_once_there_is_one() {
    let (mut servers, collector) = (Servers::one().await, Collector::start().await);
    servers.kill_all().await;
    let forwarder = Forwarder::start_with(&servers, &collector, &[]).await;
    until("it answers", || async { forwarder.get("/healthz").await.is_some() }).await;
    pause(1_500).await;
    assert!(forwarder.get("/healthz").await.unwrap().starts_with("HTTP/1.1 503"));
    servers.start_all().await;
    forwarder.ready().await;
    forwarder.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_message_that_is_not_a_report_becomes_a_dead_letter() {
    let (servers, collector) = (Servers::one().await, Collector::start().await);
    let forwarder = Forwarder::start(&servers, &collector).await;
    let jetstream = servers.jetstream().await;
    let id = uuid::Uuid::new_v4();
    let message = async_nats::jetstream::message::PublishMessage::build().message_id(id.to_string());
    let message = message.payload(r#"{"reconify":{"format":"openai"}}"#.into());
    jetstream.send_publish("reconify.reports.0", message).await.unwrap().await.unwrap();
    until("it is counted", || async {
        forwarder.metric(r#"reconify_forwarder_dead_total{reason="unreadable"}"#).await == 1
    })
    .await;
    let dead = crate::support::tally::dead_letters(&servers).await;
    assert_eq!(dead.into_iter().collect::<Vec<_>>(), [(id, "reconify.dead.unreadable".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_forwarder_makes_a_deleted_consumer_again_and_delivers_nothing_twice() {
    let (servers, collector) = (Servers::one().await, Collector::start().await);
    let _forwarder = Forwarder::start(&servers, &collector).await;
    let mut publisher = Publisher::start(servers.list());
    let deleting = async {
        delivered(&collector, 500).await;
        let stream = servers.jetstream().await.get_stream("RECONIFY").await.unwrap();
        assert!(stream.delete_consumer("forwarder").await.unwrap().success);
    };
    tokio::join!(publisher.publish(2_000, 1_000), deleting);
    publisher.settled().await;
    let what = "consumer deleted";
    let tally =
        Tally::count(what, publisher.handed_over, &publisher.acknowledged(), &servers, &collector).await;
    tally.all_once();
}
