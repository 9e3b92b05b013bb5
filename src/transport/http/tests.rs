//! The time limits of an attempt, on a paused clock.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::config::Config;
use crate::interaction::{Interaction, InteractionKind};
use crate::provider::DetachedImage;
use crate::stats::FailureClass;

#[path = "../../../tests/support/scripted.rs"]
mod scripted;
use scripted::{Scripted, Seen, Step};

const TICK: Duration = Duration::from_millis(2);

/// Stops the clock while it lives. Otherwise the clock jumps to the next timeout while a task waits
/// for a socket.
struct Still(Option<std::sync::mpsc::Sender<()>>, tokio::task::JoinHandle<()>);

impl Still {
    fn new() -> Self {
        let (sender, dropped) = std::sync::mpsc::channel::<()>();
        // A paused clock does not jump while a blocking task runs.
        Self(Some(sender), tokio::task::spawn_blocking(move || assert!(dropped.recv().is_err())))
    }

    async fn end(mut self) {
        self.0 = None;
        self.1.await.unwrap();
    }
}

/// The result, its time, and the transport, which would close all connections when dropped.
type AttemptEnd = (Result<(), DeliveryError>, Duration, HttpTransport);

fn at(destination: Destination) -> HttpTransport {
    HttpTransport::at(destination, 32)
}

fn attempt(address: impl std::fmt::Display) -> impl Future<Output = AttemptEnd> {
    attempt_through(address, at)
}

fn attempt_through(
    address: impl std::fmt::Display,
    transport: impl FnOnce(Destination) -> HttpTransport,
) -> impl Future<Output = AttemptEnd> {
    let endpoint = format!("http://{address}/track");
    let config = Config::builder("app", "key").endpoint(endpoint).build().unwrap();
    let mut transport = transport(config.destination.clone().unwrap());
    let interaction = Interaction::new(InteractionKind::Chat, &1, &2).unwrap();
    let delivery = transport.call(Report::new(&interaction, &config.reporting).unwrap());
    async move {
        let started = Instant::now();
        (delivery.await, started.elapsed(), transport)
    }
}

/// Makes an attempt against a server that reads the request and then plays the script.
async fn attempt_against(script: &[Step]) -> (Result<(), DeliveryError>, Duration) {
    let still = Still::new();
    let script = [&[Step::Take], script].concat();
    let mut server = Scripted::playing([script]).await;
    let attempt = tokio::spawn(attempt(server.address));
    server.taken().await;
    still.end().await;
    let (result, took, _transport) = attempt.await.unwrap();
    server.gone().await;
    (result, took)
}

fn is(took: Duration, limit: Duration) -> bool {
    (limit..=limit + TICK).contains(&took)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_not_answered_ends_after_ten_seconds_and_closes_its_connection() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n".to_vec();
    for script in [
        vec![],
        vec![Step::Say(head.clone())],
        vec![Step::Trickle(head.clone(), Duration::from_secs(1))],
        vec![Step::Trickle(
            [b"HTTP/1.1 200 OK\r\nx: ", &[b'x'; 9_000][..]].concat(),
            Duration::from_millis(2),
        )],
        vec![Step::Trickle(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100), Duration::from_millis(50))],
    ] {
        let (result, took) = attempt_against(&script).await;
        assert_eq!(result, Err(DeliveryError::timeout()));
        assert!(is(took, ATTEMPT_TIMEOUT), "{took:?} {script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_whose_body_does_not_end_is_one_after_ten_seconds() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_vec();
    for rest in [vec![], vec![Step::Trickle(br#"{"status":"error""#.repeat(5), Duration::from_secs(1))]] {
        let script = [vec![Step::Say(head.clone())], rest].concat();
        let (result, took) = attempt_against(&script).await;
        assert_eq!(result, Ok(()));
        assert!(is(took, ATTEMPT_TIMEOUT), "{took:?} {script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_ends_the_attempt_after_ten_seconds() {
    let still = Still::new();
    let mut server = Scripted::playing([vec![Step::TakeSome(10)]]).await;
    let attempt = tokio::spawn(attempt(server.address));
    server.taken().await;
    still.end().await;
    let (result, took, _transport) = attempt.await.unwrap();
    assert_eq!(result, Err(DeliveryError::timeout()));
    assert!(is(took, ATTEMPT_TIMEOUT), "{took:?}");
    server.gone().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_the_applications_client_ends_after_ten_seconds_whatever_its_own_timeout_is() {
    let patient = Client::builder().no_proxy().timeout(Duration::from_secs(3_600)).build().unwrap();
    for client in [patient, Client::builder().no_proxy().build().unwrap()] {
        let still = Still::new();
        let mut server = Scripted::playing([vec![Step::Take]]).await;
        let through = |destination| HttpTransport::at_with_client(destination, client);
        let attempt = tokio::spawn(attempt_through(server.address, through));
        server.taken().await;
        still.end().await;
        let (result, took, _transport) = attempt.await.unwrap();
        assert_eq!(result, Err(DeliveryError::timeout()));
        assert!(is(took, ATTEMPT_TIMEOUT), "{took:?}");
        server.gone().await;
    }
}

/// The system accepts the connection, but the server never does.
#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_no_connection_ends_the_attempt_within_ten_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (result, took, _) = attempt(listener.local_addr().unwrap()).await;
    assert_eq!(result, Err(DeliveryError::timeout()));
    assert!(took >= CONNECT_TIMEOUT && took <= ATTEMPT_TIMEOUT + TICK, "{took:?}");
}

/// The system accepts no more connections, because the server's backlog is full.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_about_is_given_up_after_three_seconds() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting: Vec<_> = (0..8).map(|_| Box::pin(tokio::net::TcpStream::connect(address))).collect();
    for connection in &mut waiting {
        drop(futures_util::poll!(connection));
    }
    let (result, took, _) = attempt(address).await;
    assert_eq!(result, Err(DeliveryError::unreachable()));
    assert!(is(took, CONNECT_TIMEOUT), "{took:?}");
}

#[tokio::test]
async fn a_refused_connection_and_one_that_is_closed_are_unreachable_and_say_why_without_the_url() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = attempt(address).await.0.unwrap_err();
    assert_eq!(error.class(), FailureClass::Unreachable);
    let shown = error.chain();
    assert!(shown.starts_with("the collector cannot be reached: ") && shown.contains("refused"), "{shown}");
    assert!(!shown.contains("/track"), "{shown}");

    let server = Scripted::playing([vec![Step::Take, Step::Close]]).await;
    assert_eq!(attempt(server.address).await.0.unwrap_err().class(), FailureClass::Unreachable);
}

/// A server without TLS answers the handshake with plain text.
#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_failed_handshake_is_a_failure_of_tls() {
    let server = Scripted::playing([vec![Step::Say(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]]).await;
    let config = Config::builder("app", "key").endpoint(format!("https://{}/track?s3cret", server.address));
    let mut transport = HttpTransport::new(&config.build().unwrap()).unwrap();
    let interaction = Interaction::new(InteractionKind::Chat, &1, &2).unwrap();
    let report = Report::new(&interaction, &crate::config::ReportOptions::default()).unwrap();
    let error = transport.call(report).await.unwrap_err();
    assert_eq!((error.class(), error.is_retryable()), (FailureClass::Tls, true), "{error}");
    assert!(!error.chain().contains("s3cret"), "{}", error.chain());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_to_accept_gets_the_report() {
    let still = Still::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let attempt = tokio::spawn(attempt(listener.local_addr().unwrap()));
    tokio::time::advance(Duration::from_secs(2)).await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec();
    let mut server = Scripted::on(listener, [vec![Step::Take, Step::Say(answer)]]);
    assert!(matches!(server.next().await, Seen::Connected));
    let (result, _, transport) = attempt.await.unwrap();
    assert_eq!(result, Ok(()));
    still.end().await;
    drop(transport);
    server.gone().await;
}

/// A proxy would receive the keys and the content in the clear.
#[tokio::test]
async fn without_tls_an_https_endpoint_is_one_error_that_names_the_feature_and_nothing_is_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let log = Arc::new(tempfile::tempfile().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::clone(&log)).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let proxied = Client::builder().proxy(reqwest::Proxy::all(format!("http://{address}")).unwrap());
    let proxied = proxied.build().unwrap();
    let (tls, plain) = (format!("https://{address}/track"), "http://127.0.0.1:9/track".to_owned());
    let mut errors = 0;
    for (endpoint, upload_endpoint) in [(&tls, &tls), (&tls, &plain), (&plain, &tls)] {
        let config = Config::builder("app", "SECRET").endpoint(endpoint).upload_endpoint(upload_endpoint);
        let config = config.build().unwrap();
        let destination = config.destination.clone().unwrap();
        for mut transport in
            [at(destination.clone()), HttpTransport::at_with_client(destination.clone(), proxied.clone())]
        {
            transport.tls = Tls::known(false).into();
            let over_tls = [endpoint == &tls, upload_endpoint == &tls];
            for _ in 0..3 {
                let reports = report_and_upload(&config).into_iter().zip(over_tls);
                for (report, _) in reports.filter(|(_, is_over_tls)| *is_over_tls) {
                    let error = transport.call(report).await.unwrap_err();
                    assert_eq!((error.class(), error.is_retryable()), (FailureClass::Unsendable, false));
                }
            }
            errors += 1;
            let told = told(&log);
            assert_eq!(told.matches("ERROR").count(), errors, "one for each transport: {told}");
            assert_eq!(told.matches("feature `rustls`").count(), errors, "{told}");
            assert!(!told.contains("SECRET"));
        }
    }
    let connected = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(connected, Err(std::io::ErrorKind::WouldBlock), "nobody was connected to");
}

#[tokio::test]
async fn without_tls_a_plain_endpoint_gets_its_reports() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
    let _server = Scripted::on(listener, [vec![Step::Take, Step::Say(answer)]]);
    let without_tls = |destination| HttpTransport { tls: Tls::known(false).into(), ..at(destination) };
    assert_eq!(attempt_through(address, without_tls).await.0, Ok(()));
}

fn report_and_upload(config: &Config) -> [Report; 2] {
    let mut interaction = Interaction::new(InteractionKind::Image, &1, &2).unwrap();
    let element = serde_json::value::to_raw_value(&serde_json::json!({"b64_json": "aGVsbG8="})).unwrap();
    interaction.images.push(DetachedImage { filename: "image.png".to_owned(), element });
    let upload = Report::uploads(&interaction).unwrap().remove(0);
    [Report::new(&interaction, &config.reporting).unwrap(), upload]
}

fn told(mut log: &std::fs::File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    log.rewind().unwrap();
    log.read_to_string(&mut text).unwrap();
    text
}
