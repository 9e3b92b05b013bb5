//! Collectors that are away, refuse, or ask to wait.

use crate::support::collector::{Answers, Collector};
use crate::support::forwarder::Forwarder;
use crate::support::publisher::Publisher;
use crate::support::server::Servers;
use crate::support::tally::{Tally, dead_letters};
use crate::support::{outage, pause, runs, until};

async fn all_once(what: &str, publisher: &Publisher, servers: &Servers, collector: &Collector) {
    publisher.settled().await;
    let tally =
        Tally::count(what, publisher.handed_over, &publisher.acknowledged(), servers, collector).await;
    tally.all_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn while_the_collector_is_down_reports_wait_and_none_becomes_a_dead_letter() {
    for _ in 0..runs() {
        let (servers, mut collector) = (Servers::start().await, Collector::start().await);
        let forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let away = outage(60);
        let failing = async {
            pause(1_000).await;
            collector.stop().await;
            tokio::time::sleep(away).await;
            collector.start_again().await;
        };
        tokio::join!(publisher.publish(150 * (2 + away.as_secs()), 150), failing);
        all_once("collector down", &publisher, &servers, &collector).await;
        // They were held for longer than `ack_wait`, and none came again.
        assert_eq!(forwarder.metric("reconify_forwarder_known_total").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_collector_that_answers_503_gets_few_posts_and_later_everything() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let away = outage(15);
        let failing = async {
            pause(1_000).await;
            collector.answers(Answers { status: Some(503), ..Answers::default() });
            tokio::time::sleep(away).await;
            collector.answers(Answers::default());
        };
        tokio::join!(publisher.publish(300 * (2 + away.as_secs()), 300), failing);
        all_once("503", &publisher, &servers, &collector).await;
        println!("503: {} posts were refused", collector.refused());
        assert!(collector.refused() < 100, "{}", collector.refused());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_collector_that_asks_to_wait_gets_what_it_asked_for() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let _forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        let away = outage(8);
        let failing = async {
            pause(1_000).await;
            let retry_after = Some(2);
            collector.answers(Answers { status: Some(429), retry_after, ..Answers::default() });
            tokio::time::sleep(away).await;
            collector.answers(Answers::default());
        };
        tokio::join!(publisher.publish(300 * (2 + away.as_secs()), 300), failing);
        all_once("429 with Retry-After", &publisher, &servers, &collector).await;
        println!("429: {} posts were refused", collector.refused());
        assert!(collector.refused() < 60, "{}", collector.refused());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn of_a_thousand_reports_a_poison_and_a_rejected_one_become_dead_letters_and_delay_no_other() {
    for _ in 0..runs() {
        let (servers, collector) = (Servers::start().await, Collector::start().await);
        let forwarder = Forwarder::start(&servers, &collector).await;
        let mut publisher = Publisher::start(servers.list());
        publisher.publish(499, 1_000).await;
        publisher.hand_over("poison");
        publisher.hand_over("unacceptable");
        publisher.publish(499, 1_000).await;
        publisher.settled().await;
        until("all others are delivered", || async { collector.delivered() == 998 }).await;
        let given_up = r#"reconify_forwarder_dead_total{reason="given-up"}"#;
        println!("poison: {} given up when all others were delivered", forwarder.metric(given_up).await);
        let acknowledged = publisher.acknowledged();
        let what = "one poison, one rejected";
        let tally = Tally::count(what, publisher.handed_over, &acknowledged, &servers, &collector).await;
        let expected = Tally {
            handed_over: 1_000,
            acknowledged: 1_000,
            delivered: 998,
            dead: 2,
            duplicates: 0,
            lost: 0,
        };
        assert_eq!(tally, expected);
        let mut subjects: Vec<_> = dead_letters(&servers).await.into_values().collect();
        subjects.sort();
        assert_eq!(subjects, ["reconify.dead.given-up", "reconify.dead.rejected"]);
    }
}
