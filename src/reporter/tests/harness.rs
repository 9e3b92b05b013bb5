//! The worker as a function, on a paused clock and with the test's own transport.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Service, ServiceExt, service_fn};
use uuid::Uuid;

use crate::budget::Budget;
use crate::config::{Config, ConfigBuilder};
use crate::handoff::{self, Sender};
use crate::interaction::{Interaction, InteractionKind};
use crate::report::Report;
use crate::reporter::handle::Reporter;
use crate::reporter::spooling::Spooler;
use crate::reporter::summary::{FinalCounts, FlushSummary, ShutdownSummary};
use crate::reporter::worker::{Command, Deadline, Worker};
use crate::stats::Stats;
use crate::transport::DeliveryError;

pub(in crate::reporter) struct Simulated {
    pub(in crate::reporter) reporter: Reporter,
    pub(in crate::reporter) sender: Sender,
    pub(in crate::reporter) worker: JoinHandle<()>,
    commands: mpsc::UnboundedSender<Command>,
    next: std::sync::atomic::AtomicU64,
}

/// One attempt, as seen by the collector.
#[derive(Clone, Copy, Debug)]
pub(in crate::reporter) struct Attempt {
    /// The number that the report was made with.
    pub(in crate::reporter) number: u64,
    pub(in crate::reporter) id: Uuid,
    pub(in crate::reporter) at: Instant,
}

/// The attempts seen by the collector.
#[derive(Clone, Debug, Default)]
pub(in crate::reporter) struct Seen(Arc<Mutex<Vec<Attempt>>>);

pub(in crate::reporter) fn builder() -> ConfigBuilder {
    Config::builder("app", "key").endpoint("http://127.0.0.1:9/track")
}

pub(in crate::reporter) fn start<S>(config: ConfigBuilder, transport: S, random: fn() -> f64) -> Simulated
where
    S: Service<Report> + Send + 'static,
    S::Future: Send,
    S::Error: Into<tower::BoxError>,
{
    listen();
    let config = config.build().unwrap();
    let (sender, receiver) = handoff::channel(Arc::new(Budget::new(config.limits)), config.capturing);
    let (commands, inbox) = mpsc::unbounded_channel();
    let spooler = Spooler::of(&config);
    let worker = Worker::new(
        receiver,
        inbox,
        transport,
        config.reporting,
        (config.concurrent_deliveries, config.retry_limits),
        spooler,
        random,
    );
    let worker = tokio::spawn(worker.run());
    let reporter = Reporter::linked(sender.clone(), commands.clone());
    Simulated { reporter, sender, worker, commands, next: Default::default() }
}

/// Makes every log call site ask for the current thread's subscriber. With a single subscriber in
/// the process, tracing asks only on the first thread that reaches the call site. If that thread
/// has no subscriber, the call site is disabled for all threads.
pub(in crate::reporter) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

/// Starts a worker with a collector that answers immediately, with the given function.
pub(in crate::reporter) fn answering(
    config: ConfigBuilder,
    random: fn() -> f64,
    mut answer: impl FnMut(Attempt) -> Result<(), DeliveryError> + Send + 'static,
) -> (Simulated, Seen) {
    let seen = Seen::default();
    let noted = seen.clone();
    let transport = service_fn(move |report: Report| {
        let attempt = Attempt { number: number(&report), id: report.id(), at: Instant::now() };
        noted.0.lock().unwrap().push(attempt);
        std::future::ready(answer(attempt))
    });
    (start(config, transport.boxed(), random), seen)
}

/// The number that a report was made with.
pub(in crate::reporter) fn number(report: &Report) -> u64 {
    let report: serde_json::Value = serde_json::from_str(report.json()).unwrap();
    report["request"].as_u64().unwrap()
}

impl Simulated {
    /// Hands over one more report, with the next number.
    pub(in crate::reporter) fn report(&self) {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.reporter.report(Interaction::new(InteractionKind::Chat, &number, &"answer").unwrap());
    }

    pub(in crate::reporter) fn stats(&self) -> Stats {
        self.reporter.stats()
    }

    pub(in crate::reporter) async fn flush(&self, deadline: Duration) -> FlushSummary {
        let before = self.stats();
        FlushSummary::since(&before, &self.ask(Command::Flush, deadline).await)
    }

    pub(in crate::reporter) async fn shutdown(&self, deadline: Duration) -> ShutdownSummary {
        let before = self.stats();
        self.sender.budget().close();
        ShutdownSummary::since(&before, &self.ask(Command::Shutdown, deadline).await)
    }

    /// Drops all handles, and returns the worker's task.
    pub(in crate::reporter) fn abandon(self) -> JoinHandle<()> {
        self.worker
    }

    async fn ask(
        &self,
        command: fn(Deadline, oneshot::Sender<FinalCounts>) -> Command,
        deadline: Duration,
    ) -> FinalCounts {
        let (reply, answer) = oneshot::channel();
        let deadline = (Instant::now() + deadline).into_std();
        self.commands.send(command(Some(deadline), reply)).unwrap_or_else(|_| panic!("the worker lives"));
        answer.await.unwrap()
    }
}

impl Seen {
    pub(in crate::reporter) fn all(&self) -> Vec<Attempt> {
        self.0.lock().unwrap().clone()
    }

    /// The times of the attempts, in milliseconds since the first.
    pub(in crate::reporter) fn milliseconds(&self) -> Vec<u128> {
        let all = self.all();
        all.iter().map(|attempt| (attempt.at - all[0].at).as_millis()).collect()
    }
}
