//! The program `reconify-forwarder`.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::collector::Collector;
use super::server::Servers;
use super::{free_port, is_long, until};

pub(crate) struct Forwarder {
    child: Child,
    port: u16,
}

impl Forwarder {
    /// Starts one, and waits until it is ready.
    pub(crate) async fn start(servers: &Servers, collector: &Collector) -> Self {
        let forwarder = Self::start_with(servers, collector, &[]).await;
        forwarder.ready().await;
        forwarder
    }

    pub(crate) async fn start_with(
        servers: &Servers,
        collector: &Collector,
        settings: &[(&str, &str)],
    ) -> Self {
        let port = free_port().await;
        let streams = servers.settings();
        let child = Command::new(env!("CARGO_BIN_EXE_reconify-forwarder"))
            .env("RECONIFY_NATS_SERVERS", servers.addresses())
            .env("RECONIFY_NATS_MAX_BYTES", streams.max_bytes.to_string())
            .env("RECONIFY_NATS_REPLICAS", streams.replicas.to_string())
            .env("RECONIFY_NATS_ACK_WAIT", streams.ack_wait.as_secs().to_string())
            .env("RECONIFY_FORWARDER_LISTEN", format!("127.0.0.1:{port}"))
            .env("RECONIFY_FORWARDER_ATTEMPTS", "4")
            .env("RECONIFY_APP_KEY", "app-key")
            .env("RECONIFY_API_KEY", "api-key")
            .env("RECONIFY_ENDPOINT", collector.endpoint())
            .envs(settings.iter().copied())
            .stderr(if is_long() { Stdio::null() } else { Stdio::inherit() })
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, port }
    }

    pub(crate) async fn ready(&self) {
        until("the forwarder is ready", || async {
            self.get("/healthz").await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
        })
        .await;
    }

    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    /// A value of its metrics.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.expect("it answers");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is in {text}")).parse().unwrap()
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends SIGTERM, and waits for a clean end.
    pub(crate) async fn terminate(mut self) {
        super::terminate(&self.child).await;
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        assert!(ended.expect("it ends").unwrap().success());
    }
}
