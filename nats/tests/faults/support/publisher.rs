//! A publisher, in this process or in one of its own.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reconify_nats::{ConnectOptions, NatsTransport, Servers};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tower::Service;
use tower_reconify::{
    Config, ConfigBuilder, DeliveryError, Interaction, InteractionKind, ReconifyLayer, Report, Reporter,
    Spool, Spooling,
};
use uuid::Uuid;

use super::until;

/// A configuration that has no valid API key.
pub(crate) fn config() -> ConfigBuilder {
    Config::builder("app-key", "not-needed-to-publish")
}

/// Reports by hand through NATS.
pub(crate) struct Publisher {
    pub(crate) layer: ReconifyLayer,
    pub(crate) reporter: Reporter,
    pub(crate) handed_over: u64,
    acknowledged: Arc<Mutex<HashSet<Uuid>>>,
}

impl Publisher {
    pub(crate) fn start(servers: Servers) -> Self {
        Self::with(config(), NatsTransport::new(servers))
    }

    pub(crate) fn with_login(servers: Servers, password: &str) -> Self {
        let options = ConnectOptions::new().user_and_password("gateway".to_owned(), password.to_owned());
        Self::start(servers.options(options))
    }

    pub(crate) fn with(config: ConfigBuilder, transport: NatsTransport) -> Self {
        let acknowledged = Arc::new(Mutex::new(HashSet::new()));
        let noted = Arc::clone(&acknowledged);
        let note = move |id| noted.lock().unwrap().extend([id]);
        let transport = Noting { transport, note };
        let layer = ReconifyLayer::with_transport(config.build().unwrap(), transport);
        Self { reporter: layer.reporter(), layer, handed_over: 0, acknowledged }
    }

    /// Hands over a number of reports, at a rate.
    pub(crate) async fn publish(&mut self, number: u64, per_second: u64) {
        publish(&self.reporter, number, per_second, |_| {}).await;
        self.handed_over += number;
    }

    pub(crate) fn hand_over(&mut self, content: &str) {
        self.reporter.report(interaction(content));
        self.handed_over += 1;
    }

    pub(crate) fn acknowledged(&self) -> HashSet<Uuid> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Waits until nothing is held, neither in memory nor on disk.
    pub(crate) async fn settled(&self) {
        until("every report is acknowledged or rejected", || async {
            let stats = self.reporter.stats();
            stats.pending + stats.spooled + stats.pending_on_disk == 0
        })
        .await;
    }
}

fn interaction(content: &str) -> Interaction {
    let request = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": content }] });
    Interaction::new(InteractionKind::Chat, &request, &json!({ "choices": [] })).unwrap()
}

async fn publish(reporter: &Reporter, number: u64, per_second: u64, mut handed_over: impl FnMut(u64)) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut done = 0;
    for tick in 1.. {
        ticks.tick().await;
        while done < (tick * per_second / 100).min(number) {
            reporter.report(interaction(&"x".repeat(1_000)));
            done += 1;
            handed_over(done);
        }
        if done == number {
            return;
        }
    }
}

/// Notes each acknowledged report.
struct Noting<F> {
    transport: NatsTransport,
    note: F,
}

impl<F: Fn(Uuid) + Clone + Send + 'static> Service<Report> for Noting<F> {
    type Response = ();
    type Error = DeliveryError;
    type Future = BoxFuture<'static, Result<(), DeliveryError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        self.transport.poll_ready(context)
    }

    fn call(&mut self, report: Report) -> Self::Future {
        let (id, note) = (report.id(), self.note.clone());
        let published = self.transport.call(report);
        Box::pin(async move { published.await.inspect(|()| note(id)) })
    }
}

/// A publisher in a process of its own: this test binary, which runs [`process`] only.
pub(crate) struct PublisherProcess {
    child: Child,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) handed_over: u64,
    pub(crate) acknowledged: HashSet<Uuid>,
}

const SERVERS: &str = "RECONIFY_TEST_SERVERS";
const SPOOL: &str = "RECONIFY_TEST_SPOOL";
const PER_SECOND: &str = "RECONIFY_TEST_PER_SECOND";

impl PublisherProcess {
    /// Starts one that reports at a rate until it is stopped.
    pub(crate) fn start(servers: &str, per_second: u64, spool: Option<&Path>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["support::publisher::process", "--exact", "--ignored", "--nocapture"]);
        command.env(SERVERS, servers).env(PER_SECOND, per_second.to_string());
        if let Some(folder) = spool {
            command.env(SPOOL, folder);
        }
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut seen = noted.lock().unwrap();
                match line.split_once(' ') {
                    Some(("acknowledged", id)) => seen.acknowledged.extend([id.parse::<Uuid>().unwrap()]),
                    Some(("handed-over", number)) => seen.handed_over = number.parse().unwrap(),
                    _ => {}
                }
            }
        });
        Self { child, seen, reader }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) async fn kill(mut self) -> Seen {
        self.child.kill().await.unwrap();
        self.reader.await.unwrap();
        self.seen.lock().unwrap().clone()
    }

    /// Sends SIGTERM, and waits for the end.
    pub(crate) async fn terminate(mut self) -> Seen {
        super::terminate(&self.child).await;
        assert!(self.child.wait().await.unwrap().success());
        self.reader.await.unwrap();
        self.seen.lock().unwrap().clone()
    }
}

/// What a [`PublisherProcess`] does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "other tests start it as a process"]
async fn process() {
    let Ok(servers) = std::env::var(SERVERS) else { return };
    let mut config = config();
    if let Some(folder) = std::env::var_os(SPOOL) {
        config = config.spool(Spool::at(folder).with_spooling(Spooling::Always));
    }
    let transport = NatsTransport::new(Servers::new(&servers).unwrap());
    // One write for each line, so that a killed process has told of every acknowledgement.
    let transport = Noting { transport, note: |id| say(&format!("acknowledged {id}\n")) };
    let reporter = Reporter::with_transport(config.build().unwrap(), transport);
    let per_second = std::env::var(PER_SECOND).unwrap().parse().unwrap();
    let mut stop = signal(SignalKind::terminate()).unwrap();
    let publishing =
        publish(&reporter, u64::MAX, per_second, |number| say(&format!("handed-over {number}\n")));
    tokio::select! {
        () = publishing => {}
        _ = stop.recv() => {}
    }
    let summary = reporter.shutdown(Duration::from_secs(5)).await;
    assert_eq!(summary.dropped, 0, "{summary:?}");
}

fn say(line: &str) {
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}
