//! Servers and settings that are refused.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tower_reconify::{FailureClass, Reporter};

use reconify_nats::{Error, Forwarder, StreamSettings};

use crate::support::publisher::{Publisher, config};
use crate::support::server::Servers;
use crate::support::until;

/// A server that claims to be of another version, and answers pings only.
async fn server_of_version(version: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (read, mut write) = connection.split();
                let info = format!(
                    r#"INFO {{"server_id":"x","version":"{version}","proto":1,"headers":true,"max_payload":1048576}}"#
                );
                write.write_all(format!("{info}\r\n").as_bytes()).await.unwrap();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "PING" && write.write_all(b"PONG\r\n").await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("nats://{address}")
}

async fn run(servers: reconify_nats::Servers, settings: StreamSettings) -> Result<(), Error> {
    let reporter = Reporter::new(config().build().unwrap());
    let forwarder = Forwarder::new(servers, settings, reporter);
    // It refuses at once, or it runs.
    forwarder.run(tokio::time::sleep(Duration::from_secs(2))).await
}

/// Needs no real server, but what it protects from is a real one: Debian 12 has 2.9.10.
#[tokio::test]
async fn a_server_that_can_lose_streams_is_refused_and_publishers_hold_everything() {
    for version in ["2.9.10", "2.10.22", "no version"] {
        let address = server_of_version(version).await;
        let servers = reconify_nats::Servers::new(&address).unwrap();
        let refused = run(servers.clone(), StreamSettings::new(1_000)).await;
        assert_eq!(refused, Err(Error::TooOld(version.to_owned())));
        let mut publisher = Publisher::start(servers);
        publisher.hand_over("hello");
        until("the class of the failure is reported", || async {
            publisher.reporter.stats().last_failure == Some(FailureClass::Unavailable)
        })
        .await;
        assert_eq!(publisher.reporter.stats().pending, 1);
    }
}

#[tokio::test]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_stream_with_other_settings_is_refused_and_each_difference_is_named() {
    let servers = Servers::one().await;
    let settings = servers.settings();
    let jetstream = servers.jetstream().await;
    let other = Config {
        name: "RECONIFY".to_owned(),
        subjects: settings.subjects.clone(),
        max_bytes: 1_000_000_000,
        max_age: settings.max_age,
        retention: RetentionPolicy::Limits,
        ..Config::default()
    };
    jetstream.create_stream(other).await.unwrap();
    let Err(Error::Differs(text)) = run(servers.list(), settings.clone()).await else {
        panic!("it is refused")
    };
    assert!(text.contains("retention is Limits instead of WorkQueue"), "{text}");
    assert!(text.contains("discard is Old instead of New"), "{text}");
    assert!(!text.contains("max_bytes"), "{text}");

    jetstream.delete_stream("RECONIFY").await.unwrap();
    assert_eq!(run(servers.list(), settings.clone()).await, Ok(()), "it creates the stream");
    assert_eq!(run(servers.list(), settings.clone()).await, Ok(()), "and finds it as it was");
    let other = StreamSettings { ack_wait: Duration::from_secs(9), ..settings.clone() };
    let Err(Error::Differs(text)) = run(servers.list(), other).await else { panic!("it is refused") };
    assert_eq!(text, "consumer forwarder: ack_wait is 3s instead of 9s");
    let too_many = StreamSettings { replicas: 3, stream: "OTHER".to_owned(), ..settings };
    assert!(matches!(run(servers.list(), too_many).await, Err(Error::Refused(_))));
}

#[tokio::test]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_forwarder_with_wrong_credentials_does_not_start() {
    let servers = Servers::with(1, "authorization { token: secret }").await;
    let refused = run(servers.list(), servers.settings()).await;
    assert!(matches!(refused, Err(Error::Unauthorized(_))), "{refused:?}");
    let options = reconify_nats::ConnectOptions::new().token("secret".to_owned());
    assert_eq!(run(servers.list().options(options), servers.settings()).await, Ok(()));
}
