//! TLS, and users with no more permissions than the documentation names.

use tokio::process::Command;
use tower_reconify::FailureClass;

use reconify_nats::ConnectOptions;

use crate::support::collector::Collector;
use crate::support::forwarder::Forwarder;
use crate::support::publisher::Publisher;
use crate::support::server::Servers;
use crate::support::until;

/// The permissions in `docs/BEYOND_ONE_MACHINE.md`.
fn permissions(user: &str) -> String {
    let page = include_str!("../../../docs/BEYOND_ONE_MACHINE.md");
    let (_, text) = page.split_once(&format!("  {user}: {{\n")).expect("the page has them");
    let (text, _) = text.split_once("\n  }\n").expect("they end");
    format!("{{ {text} }}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn the_documented_permissions_are_enough() {
    let user = |name| format!("{{ user: {name}, password: p, permissions: {} }}", permissions(name));
    let lines = format!("authorization {{ users: [\n{}\n{}\n] }}", user("publisher"), user("forwarder"));
    let (servers, collector) = (Servers::with(1, &lines).await, Collector::start().await);
    let settings = [("RECONIFY_NATS_USER", "forwarder"), ("RECONIFY_NATS_PASSWORD", "p")];
    let forwarder = Forwarder::start_with(&servers, &collector, &settings).await;
    forwarder.ready().await;
    let options = ConnectOptions::new().user_and_password("publisher".to_owned(), "p".to_owned());
    let mut publisher = Publisher::start(servers.list().options(options));
    publisher.publish(98, 1_000).await;
    publisher.hand_over("poison");
    publisher.hand_over("unacceptable");
    publisher.settled().await;
    until("all are delivered or dead", || async {
        let dead = forwarder.metric(r#"reconify_forwarder_dead_total{reason="rejected"}"#).await
            + forwarder.metric(r#"reconify_forwarder_dead_total{reason="given-up"}"#).await;
        (collector.delivered(), dead) == (98, 2)
    })
    .await;
    until("the stream is looked at", || async {
        forwarder.metric("reconify_forwarder_dead_letters").await == 2
            && forwarder.metric("reconify_forwarder_stream_messages").await == 0
    })
    .await;
    forwarder.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a nats-server: run .ci/nats"]
async fn a_server_with_tls_is_reached_with_its_certificate_only() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=nats", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out", &certificate])
        .output()
        .await;
    assert!(made.unwrap().status.success());
    let lines = format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}");
    let (servers, collector) = (Servers::with(1, &lines).await, Collector::start().await);
    let settings = [("RECONIFY_NATS_CA", certificate.as_str())];
    let forwarder = Forwarder::start_with(&servers, &collector, &settings).await;
    forwarder.ready().await;

    let mut stranger = Publisher::start(servers.list());
    stranger.hand_over("hello");
    until("the class of the failure is reported", || async {
        stranger.reporter.stats().last_failure == Some(FailureClass::Unreachable)
    })
    .await;
    let options = ConnectOptions::new().add_root_certificates(certificate.clone().into());
    let mut publisher = Publisher::start(servers.list().options(options));
    publisher.publish(100, 1_000).await;
    publisher.settled().await;
    until("all are delivered", || async { collector.delivered() == 100 }).await;
    forwarder.terminate().await;
}
