//! Real servers.

use std::fmt::Write;
use std::process::Stdio;

use async_nats::jetstream::{self, Context};
use tempfile::TempDir;
use tokio::fs;
use tokio::process::{Child, Command};

use reconify_nats::{ConnectOptions, StreamSettings};

use super::{free_port, is_long, pause, terminate, until};

/// One node, or a cluster of three.
pub(crate) struct Servers {
    folder: TempDir,
    nodes: Vec<Node>,
    /// Further lines of each configuration file.
    lines: String,
}

struct Node {
    port: u16,
    cluster_port: u16,
    process: Option<Child>,
}

impl Servers {
    /// One node, or three for the long tests.
    pub(crate) async fn start() -> Self {
        Self::with(if is_long() { 3 } else { 1 }, "").await
    }

    pub(crate) async fn one() -> Self {
        Self::with(1, "").await
    }

    pub(crate) async fn with(nodes: usize, lines: &str) -> Self {
        let mut servers =
            Self { folder: TempDir::new().unwrap(), nodes: Vec::new(), lines: lines.to_owned() };
        for _ in 0..nodes {
            servers.nodes.push(Node {
                port: free_port().await,
                cluster_port: free_port().await,
                process: None,
            });
        }
        servers.start_all().await;
        servers
    }

    pub(crate) fn set_lines(&mut self, lines: &str) {
        lines.clone_into(&mut self.lines);
    }

    /// The addresses of all nodes.
    pub(crate) fn addresses(&self) -> String {
        let addresses = self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.port));
        addresses.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn list(&self) -> reconify_nats::Servers {
        reconify_nats::Servers::new(&self.addresses()).unwrap()
    }

    /// Settings of small streams, whose reports come back soon after a forwarder was killed.
    pub(crate) fn settings(&self) -> StreamSettings {
        StreamSettings {
            replicas: self.nodes.len(),
            ack_wait: std::time::Duration::from_secs(3),
            ..StreamSettings::new(1_000_000_000)
        }
    }

    pub(crate) async fn start_all(&mut self) {
        for number in 0..self.nodes.len() {
            self.start_node(number).await;
        }
        let addresses = self.addresses();
        until("JetStream is available", || {
            let addresses = addresses.clone();
            async move {
                // The servers may want credentials or TLS. They listen then, and that is enough.
                match ConnectOptions::new().connect(addresses.split(',').collect::<Vec<_>>()).await {
                    Ok(client) => jetstream::new(client).query_account().await.is_ok(),
                    Err(error) => !error.to_string().contains("refused"),
                }
            }
        })
        .await;
    }

    async fn start_node(&mut self, number: usize) {
        let folder = self.folder.path().join(number.to_string());
        let node = &self.nodes[number];
        let mut text = format!(
            "listen: \"127.0.0.1:{}\"\nserver_name: node-{number}\njetstream {{ store_dir: \"{}\" }}\n{}\n",
            node.port,
            folder.display(),
            self.lines
        );
        if self.nodes.len() > 1 {
            let routes = self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.cluster_port));
            let routes = routes.collect::<Vec<_>>().join(", ");
            writeln!(
                text,
                "cluster {{ name: c, listen: \"127.0.0.1:{}\", routes: [{routes}] }}",
                node.cluster_port
            )
            .unwrap();
        }
        let path = self.folder.path().join(format!("{number}.conf"));
        fs::write(&path, text).await.unwrap();
        let program = std::env::var_os("RECONIFY_NATS_SERVER").expect("these tests are run by .ci/nats");
        let process = Command::new(program)
            .arg("--config")
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        self.nodes[number].process = Some(process.unwrap());
    }

    /// Kills all nodes, without a chance to write anything.
    pub(crate) async fn kill_all(&mut self) {
        for node in &mut self.nodes {
            node.process.take().expect("it runs").kill().await.unwrap();
        }
    }

    pub(crate) async fn terminate_all(&mut self) {
        for node in &mut self.nodes {
            let mut process = node.process.take().expect("it runs");
            terminate(&process).await;
            process.wait().await.unwrap();
        }
    }

    /// Kills or stops the leader of a stream, and starts it again after a second.
    pub(crate) async fn restart_leader(&mut self, stream: &str, is_killed: bool) {
        let found = self.jetstream().await.get_stream(stream).await.unwrap();
        let leader = found.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone());
        let leader = leader.expect("the stream has a leader");
        let number: usize = leader.trim_start_matches("node-").parse().unwrap();
        let mut process = self.nodes[number].process.take().expect("it runs");
        if is_killed {
            process.kill().await.unwrap();
        } else {
            terminate(&process).await;
            process.wait().await.unwrap();
        }
        pause(1_000).await;
        self.start_node(number).await;
    }

    pub(crate) async fn jetstream(&self) -> Context {
        let addresses = self.addresses();
        let client = ConnectOptions::new().connect(addresses.split(',').collect::<Vec<_>>()).await;
        jetstream::new(client.unwrap())
    }
}
