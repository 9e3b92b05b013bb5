//! Takes reports from the stream, and delivers them.

mod handler;
mod settled;
mod status;
mod watch;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::pull::Batch;
use async_nats::jetstream::context::ContextBuilder;
use futures_util::StreamExt;
use futures_util::future::join;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower_reconify::Reporter;

use self::handler::Handler;
pub use self::status::{Counts, Status};
use crate::error::Error;
use crate::servers::Servers;
use crate::streams::{Prepared, StreamSettings};

pub(crate) const LOG: &str = "reconify_nats";

/// Enough for 32 concurrent deliveries and what waits behind them.
const DEFAULT_SLOTS: usize = 256;

const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// How long JetStream keeps a request for reports. Short, because reports that are sent to a killed
/// forwarder come back only after `ack_wait`.
const PULL_EXPIRES: Duration = Duration::from_secs(2);

/// How much longer than that a forwarder waits for the end of a request.
const PULL_RESERVE: Duration = Duration::from_secs(1);

/// How long to wait for a quarter of the slots before fewer reports are asked for.
const GATHERING: Duration = Duration::from_millis(50);

/// How long a stop waits for the last acknowledgements.
const STOPPING: Duration = Duration::from_secs(3);

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes reports from a JetStream stream and delivers them through a [`Reporter`], with its keys,
/// retries and `Retry-After`.
///
/// - It asks JetStream only for as many reports as it has free slots, and tells it that it still
///   works on them, however long the collector is away.
/// - A delivered report is acknowledged, and the acknowledgement is confirmed.
/// - A report that the collector rejects, or that fails too often, is copied to the stream of dead
///   letters, and then removed from the stream. So is a message that is not a report.
/// - The last 100,000 ids are remembered: if JetStream sends one of them again, it is acknowledged
///   and not delivered again.
///
/// Any number of forwarders can share the consumer.
///
/// ```no_run
/// use reconify_nats::{Forwarder, Servers, StreamSettings};
/// use tower_reconify::{Config, Reporter};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let servers = Servers::new("nats://a:4222,nats://b:4222,nats://c:4222")?;
/// let reporter = Reporter::new(Config::from_env()?);
/// let forwarder = Forwarder::new(servers, StreamSettings::new(50_000_000_000), reporter);
/// forwarder.run(async { drop(tokio::signal::ctrl_c().await) }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Forwarder {
    servers: Servers,
    settings: StreamSettings,
    reporter: Reporter,
    slots: usize,
    grace: Duration,
    status: Status,
}

impl Forwarder {
    /// A forwarder that starts with [`run`](Self::run). The reporter must not be disabled, and its
    /// spool is not used: JetStream has the reports.
    pub fn new(servers: Servers, settings: StreamSettings, reporter: Reporter) -> Self {
        let status = Status::new(reporter.clone());
        Self { servers, settings, reporter, slots: DEFAULT_SLOTS, grace: DEFAULT_GRACE, status }
    }

    /// Sets how many reports are held at once. Default: 256. It should be several times
    /// [`concurrent_deliveries`](tower_reconify::ConfigBuilder::concurrent_deliveries), because
    /// reports that wait for a retry occupy slots too. The memory is at most this number times the
    /// largest report. Zero counts as one.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots.clamp(1, Semaphore::MAX_PERMITS >> 3);
        self
    }

    /// Sets how long a stop waits for reports that are on their way. Default: 10 s. The others go back
    /// to JetStream at once.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The counters and the readiness, for as long as the status is kept.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Forwards reports until `stop` resolves. Then it takes no more, waits for those that are on
    /// their way, returns the others to JetStream, and shuts the reporter down.
    ///
    /// It waits for NATS, at the start and later, for as long as no server can be reached.
    ///
    /// # Errors
    ///
    /// At the start: if the server is too old or refuses the credentials, or if a stream or the
    /// consumer cannot be created or has other settings.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = pin!(stop);
        let Self { servers, settings, reporter, slots, grace, status } = self;
        let started = async {
            loop {
                match start(&servers, &settings).await {
                    Err(error) if error.is_temporary() => {
                        tracing::warn!(target: LOG, %error, "the forwarder waits for NATS");
                        status.failed(&error.to_string());
                        sleep(PAUSE).await;
                    }
                    result => return result,
                }
            }
        };
        let (client, prepared) = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            started = started => started?,
        };
        tracing::info!(target: LOG, stream = settings.stream, consumer = settings.consumer, "forwarding starts");
        status.started(&client);
        let watch = tokio::spawn(watch::watch(prepared.clone(), status.clone()));
        let slots = Slots::new(slots);
        let handler = Arc::new(Handler::new(&client, reporter.clone(), &settings, status.clone()));
        let pulling = Pulling { prepared, settings, handler: Arc::clone(&handler), slots, status };
        let last = pulling.run(&mut stop).await;
        tracing::info!(target: LOG, "the forwarder stops");
        // Reports that JetStream sends now would otherwise come back only after `ack_wait`.
        let returned = async {
            if let Some(pull) = last {
                pull.give_back(&handler).await;
            }
        };
        join(returned, reporter.shutdown(grace)).await;
        watch.abort();
        let finished = async {
            pulling.slots.all_free().await;
            client.flush().await.is_ok()
        };
        if !timeout(STOPPING, finished).await.unwrap_or(false) {
            tracing::warn!(target: LOG, "the last acknowledgements may be lost");
        }
        Ok(())
    }
}

async fn start(servers: &Servers, settings: &StreamSettings) -> Result<(Client, Prepared), Error> {
    let client = servers.connect(None).await?;
    let jetstream = ContextBuilder::new().build(client.clone());
    let prepared = settings.prepare(&jetstream).await?;
    Ok((client, prepared))
}

/// The loop that asks for reports.
struct Pulling {
    prepared: Prepared,
    settings: StreamSettings,
    handler: Arc<Handler>,
    slots: Slots,
    status: Status,
}

/// A request for reports, and when it ends.
struct Pull {
    batch: Batch,
    ends: Instant,
}

impl Pulling {
    /// Runs until the stop. Returns the last request for reports.
    async fn run(&self, mut stop: impl Future<Output = ()> + Unpin) -> Option<Pull> {
        loop {
            let mut permit = tokio::select! {
                biased;
                () = &mut stop => return None,
                permit = self.slots.free() => permit?,
            };
            let pull = tokio::select! {
                biased;
                () = &mut stop => return None,
                pull = self.pull(permit.num_permits()) => pull,
            };
            let Some(mut pull) = pull else { continue };
            loop {
                let message = tokio::select! {
                    biased;
                    () = &mut stop => return Some(pull),
                    message = timeout_at(pull.ends, pull.batch.next()) => message,
                };
                match message {
                    Ok(Some(Ok(message))) => {
                        // A request never brings more than was asked for.
                        let Some(slot) = permit.split(1) else { break };
                        let handler = Arc::clone(&self.handler);
                        tokio::spawn(async move {
                            handler.handle(message).await;
                            drop(slot);
                        });
                    }
                    Ok(Some(Err(error))) => {
                        self.recover(&error.to_string()).await;
                        break;
                    }
                    Ok(None) => {
                        self.status.pulled();
                        break;
                    }
                    Err(_) => {
                        self.recover("JetStream does not answer").await;
                        break;
                    }
                }
            }
        }
    }

    async fn pull(&self, most: usize) -> Option<Pull> {
        let request = self.prepared.consumer.batch().max_messages(most).expires(PULL_EXPIRES).messages();
        // A client without a connection accepts only a limited number of requests.
        match timeout(PULL_EXPIRES, request).await {
            Ok(Ok(batch)) => Some(Pull { batch, ends: Instant::now() + PULL_EXPIRES + PULL_RESERVE }),
            Ok(Err(error)) => {
                self.recover(&error.to_string()).await;
                None
            }
            Err(_) => {
                self.recover("the client does not accept a request").await;
                None
            }
        }
    }

    /// After a failed request: the stream or the consumer may be gone.
    async fn recover(&self, error: &str) {
        self.status.failed(error);
        tracing::warn!(target: LOG, error, "no reports can be taken now");
        sleep(PAUSE).await;
        match self.settings.prepare(&self.handler.jetstream).await {
            Ok(_) => {}
            Err(error) => {
                self.status.failed(&error.to_string());
                tracing::warn!(target: LOG, %error, "the stream is not as it was");
            }
        }
    }
}

impl Pull {
    /// Returns reports until the request ends.
    async fn give_back(mut self, handler: &Handler) {
        while let Ok(Some(Ok(message))) = timeout_at(self.ends, self.batch.next()).await {
            handler.give_back(message).await;
        }
    }
}

/// The places for reports.
struct Slots {
    all: u32,
    free: Arc<Semaphore>,
}

impl Slots {
    fn new(all: usize) -> Self {
        Self { all: u32::try_from(all).unwrap_or(u32::MAX), free: Arc::new(Semaphore::new(all)) }
    }

    /// Waits for free places. A quarter of all at once saves requests; after a moment one is enough.
    async fn free(&self) -> Option<OwnedSemaphorePermit> {
        let take = |number| Arc::clone(&self.free).acquire_many_owned(number);
        let gathered = timeout(GATHERING, take((self.all / 4).max(1))).await;
        let mut permit = match gathered {
            Ok(permit) => permit,
            Err(_) => take(1).await,
        }
        .ok()?;
        let more = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        if let Ok(more) = Arc::clone(&self.free).try_acquire_many_owned(more) {
            permit.merge(more);
        }
        Some(permit)
    }

    async fn all_free(&self) {
        drop(self.free.acquire_many(self.all).await);
    }
}
