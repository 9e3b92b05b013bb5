use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};
use tower::{BoxError, Service};

use super::clock::Clock;
use super::spooling::Spooler;
use super::summary::{FinalCounts, FlushSummary, ShutdownSummary};
use super::undelivered::Undelivered;
use super::worker::{Command, Deadline, Delivery, Worker};
use crate::budget::Budget;
use crate::config::{Config, Destination};
use crate::delivery::Transport;
use crate::handoff::{self, Sender};
use crate::interaction::Interaction;
use crate::names::LOG;
use crate::report::Report;
use crate::stats::{DropReason, Settlement, Stats};
#[cfg(feature = "reqwest")]
use crate::transport::HttpTransport;

/// A handle to a layer's reporter: counters, flush, shutdown, and reports made by hand.
///
/// Clones are cheap and refer to the same reporter. The reporter of a disabled layer does nothing
/// and counts nothing.
#[derive(Clone)]
pub struct Reporter {
    link: Option<Link>,
}

#[derive(Clone)]
struct Link {
    sender: Sender,
    commands: mpsc::UnboundedSender<Command>,
    clock: Clock,
}

/// How much earlier the worker's deadline is than the caller's. The worker needs the time to spool
/// the remaining reports and to answer.
const RESERVE: Duration = Duration::from_millis(100);

impl Reporter {
    /// A reporter without a layer, which sends over HTTP: for programs that only
    /// [deliver](Self::deliver) stored reports or [report](Self::report) by hand. With a disabled
    /// configuration it does nothing.
    ///
    /// ```
    /// use tower_reconify::{Config, Reporter};
    ///
    /// let reporter = Reporter::new(Config::builder("app-key", "api-key").build()?);
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn new(config: Config) -> Self {
        let idle = config.concurrent_deliveries;
        Self::of(config, true, move |destination| HttpTransport::at(destination, idle))
    }

    /// A reporter without a layer, which sends through a service of the application; see
    /// [`ReconifyLayer::with_transport`](crate::ReconifyLayer::with_transport).
    pub fn with_transport<S>(config: Config, transport: S) -> Self
    where
        S: Service<Report> + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self::of(config, false, |_| transport)
    }

    /// Starts a reporter with the transport to a destination, unless the configuration is disabled.
    pub(crate) fn of<S: Transport + 'static>(
        config: Config,
        is_http: bool,
        transport: impl FnOnce(Destination) -> S + Send + 'static,
    ) -> Self {
        match config.destination.clone() {
            Some(destination) => {
                config.log_start(is_http);
                Self::start(config, || transport(destination))
            }
            None => {
                tracing::info!(target: LOG, "nothing is reported: the configuration is disabled");
                Self::disabled()
            }
        }
    }

    pub(crate) fn disabled() -> Self {
        Self { link: None }
    }

    /// Starts the worker's thread. It has a runtime of its own, so that it neither competes with
    /// the application's runtime nor ends with it.
    pub(crate) fn start<S: Transport + 'static>(
        config: Config,
        transport: impl FnOnce() -> S + Send + 'static,
    ) -> Self {
        let budget = Arc::new(Budget::new(config.limits));
        let (sender, receiver) = handoff::channel(Arc::clone(&budget), config.capturing);
        let (commands, inbox) = mpsc::unbounded_channel();
        let spooler = Spooler::of(&config);
        let Config { reporting, retry_limits, concurrent_deliveries, .. } = config;
        let started = thread::Builder::new().name("reconify".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(async {
                        Worker::new(
                            receiver,
                            inbox,
                            transport(),
                            reporting,
                            (concurrent_deliveries, retry_limits),
                            spooler,
                            fastrand::f64,
                        )
                        .run()
                        .await;
                    });
                    // Does not wait for a hook or a disk that hangs.
                    runtime.shutdown_background();
                }
                Err(error) => {
                    drop(receiver);
                    tracing::error!(target: LOG, %error, "the reporter has no runtime: nothing will be reported");
                }
            }
        });
        if let Err(error) = started {
            sender.stop();
            tracing::error!(target: LOG, %error, "the reporter has no thread: nothing will be reported");
        }
        Self::linked(sender, commands)
    }

    pub(super) fn linked(sender: Sender, commands: mpsc::UnboundedSender<Command>) -> Self {
        Self { link: Some(Link { sender, commands, clock: Clock::new() }) }
    }

    pub(crate) fn sender(&self) -> Option<&Sender> {
        self.link.as_ref().map(|link| &link.sender)
    }

    /// Resolves at that time, also on a paused clock. Never without a reporter.
    pub(crate) async fn alarm(&self, at: Instant) {
        match &self.link {
            Some(link) => link.clock.alarm(at).await,
            None => std::future::pending().await,
        }
    }

    /// The number of exchanges that are captured and have not ended.
    pub(crate) fn exchanges_open(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.sender.budget().exchanges_open())
    }

    /// A snapshot of the counters: how every interaction so far ended.
    pub fn stats(&self) -> Stats {
        self.link.as_ref().map(|link| link.sender.budget().stats()).unwrap_or_default()
    }

    /// Reports an interaction that did not cross the layer. It counts as captured and uses the same
    /// queue and budget. Without room it is dropped and counted.
    pub fn report(&self, interaction: Interaction) {
        let Some(link) = &self.link else { return };
        let Some(mut reservation) = link.sender.budget().admit() else {
            return;
        };
        let bytes = interaction.request.len() + interaction.response.len();
        if reservation.budget().charge(bytes) {
            reservation.adopt(bytes);
            link.sender.report(reservation, interaction);
            link.sender.wake_worker();
        } else {
            reservation.settle(Settlement::Dropped(DropReason::TooManyBytes));
        }
    }

    /// Delivers a report that was stored elsewhere, with the keys of this configuration, and waits for
    /// the end: for programs that take reports from a queue or a broker.
    ///
    /// The report counts as captured and takes its place in the budget. It passes neither hooks nor
    /// sampling. It is retried like any other, and [`flush`](Self::flush) waits for it. It never goes
    /// to the spool, because its caller has it stored already. The image uploads of
    /// an interaction are reports of their own.
    ///
    /// # Errors
    ///
    /// [`Undelivered`] says why the report was not accepted. A disabled reporter, and one in a forked
    /// child, returns [`Undelivered::Shutdown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only discards the result: once it was polled, the report stays on its way
    /// and may be delivered.
    ///
    /// ```no_run
    /// use tower_reconify::{Report, Reporter, Undelivered};
    ///
    /// # async fn forward(reporter: Reporter, id: uuid::Uuid, json: bytes::Bytes) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = Report::from_stored(id, json)?;
    /// match reporter.deliver(report).await {
    ///     Ok(()) => {}                                                  // Remove it from the store.
    ///     Err(Undelivered::Rejected | Undelivered::GivenUp) => {}       // Keep it as a dead letter.
    ///     Err(_) => {}                                                  // Try it again later.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn deliver(&self, report: Report) -> Result<(), Undelivered> {
        let link = self.link.as_ref().filter(|link| !link.clock.is_forked());
        let Some(link) = link else { return Err(Undelivered::Shutdown) };
        let budget = link.sender.budget();
        let refused = || if budget.is_closed() { Undelivered::Shutdown } else { Undelivered::NoRoom };
        let mut reservation = budget.admit().ok_or_else(refused)?;
        if !reservation.resize(report.held(), 1) {
            reservation.settle(Settlement::Dropped(DropReason::TooManyBytes));
            return Err(Undelivered::NoRoom);
        }
        let (receipt, settlement) = oneshot::channel();
        let delivery = Box::new(Delivery { reservation, report, receipt });
        if link.commands.send(Command::Deliver(delivery)).is_err() {
            return Err(Undelivered::Shutdown);
        }
        match settlement.await {
            Ok(settlement) => Undelivered::of(settlement),
            // The worker has ended.
            Err(_) => Err(Undelivered::Shutdown),
        }
    }

    /// Waits until all interactions handed over before the call are settled, up to the deadline.
    ///
    /// A flush does not wait for exchanges whose response is still being read. It works under any
    /// async runtime, and without one.
    ///
    /// # Deadlines
    ///
    /// The deadline holds even if the application's code blocks the reporter's thread, for example
    /// in a transport whose `call` blocks or in a log writer that stalls. The caller's side has a
    /// clock of its own: a thread that lives while a flush or a shutdown waits. If the reporter's
    /// thread is blocked, the summary comes from the counters. A deadline under 400 ms may be
    /// exceeded by up to 100 ms.
    ///
    /// # Forked processes
    ///
    /// A fork does not copy the reporter's thread. In a forked child a flush returns immediately.
    /// Interactions held at the time of the fork, or captured since, are `pending`. The parent
    /// delivers the former; no process delivers the latter. Create layers after the fork.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only discards the result.
    ///
    /// ```no_run
    /// # async fn flush(reporter: tower_reconify::Reporter) {
    /// use std::time::{Duration, Instant};
    ///
    /// let report = reporter.flush(Duration::from_secs(2)).await;
    /// println!("{} delivered, {} still on their way", report.delivered, report.pending);
    /// # }
    /// ```
    pub async fn flush(&self, deadline: Duration) -> FlushSummary {
        let Some(link) = &self.link else { return FlushSummary::default() };
        let before = self.stats();
        let outcome = link.ask(Command::Flush, deadline).await;
        FlushSummary::since(&before, &outcome.unwrap_or_else(|| link.estimate(false)))
    }

    /// Stops capturing, delivers the interactions handed over before the call, and ends the worker,
    /// all within the deadline.
    ///
    /// Requests still pass through the layer; they are counted as captured and dropped. A shutdown
    /// does not wait for exchanges in flight, but delivers those that end while it waits for other
    /// reports. Reports that are not settled at the deadline are dropped, unless they are spooled. Once
    /// all are on disk, a shutdown ends early if the collector accepts none: 250 ms after the last
    /// success, or 3 s after the newest attempt if one is unanswered.
    /// A shutdown works under any async runtime, also after the application's runtime has ended.
    ///
    /// The deadline holds as for a [`flush`](Self::flush). If the application's code blocks the
    /// reporter's thread, the summary counts all unsettled interactions as dropped. The thread ends
    /// once it is unblocked, and may still deliver some of them. In a forked child a shutdown
    /// returns such a summary immediately and changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only discards the result: the shutdown continues.
    ///
    /// ```no_run
    /// # async fn shutdown(reconify: tower_reconify::ReconifyLayer) {
    /// use std::time::{Duration, Instant};
    ///
    /// // After the server has stopped:
    /// let report = reconify.reporter().shutdown(Duration::from_secs(5)).await;
    /// if !report.is_complete() {
    ///     eprintln!("{} reports were lost", report.dropped);
    /// }
    /// # }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownSummary {
        let Some(link) = &self.link else { return ShutdownSummary::default() };
        let before = self.stats();
        if !link.clock.is_forked() {
            link.sender.budget().close();
        }
        let outcome = link.ask(Command::Shutdown, deadline).await;
        ShutdownSummary::since(&before, &outcome.unwrap_or_else(|| link.estimate(true)))
    }
}

impl Link {
    /// Sends a command to the worker and waits for its answer. Returns `None` if the worker has
    /// ended or misses the deadline.
    async fn ask(
        &self,
        command: fn(Deadline, oneshot::Sender<FinalCounts>) -> Command,
        deadline: Duration,
    ) -> Option<FinalCounts> {
        if self.clock.is_forked() {
            return None;
        }
        let reserve = RESERVE.min(deadline / 4);
        let until = Instant::now().checked_add(deadline.saturating_sub(reserve));
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(until, reply)).ok()?;
        let Some(until) = until.and_then(|until| until.checked_add(RESERVE)) else {
            return answer.await.ok();
        };
        match select(answer, self.clock.alarm(until)).await {
            Either::Left((outcome, _)) => outcome.ok(),
            Either::Right(((), _)) => None,
        }
    }

    /// The outcome of a flush or a shutdown, estimated from the counters.
    fn estimate(&self, is_shutdown: bool) -> FinalCounts {
        let budget = self.sender.budget();
        let stats = budget.stats();
        let exchanges_open = budget.exchanges_open() as u64;
        let pending = stats.pending.saturating_sub(exchanges_open);
        // A shutdown loses no report that is on disk too.
        let saved = if is_shutdown { stats.pending_on_disk.min(pending) } else { 0 };
        let spooled = stats.spooled + saved;
        FinalCounts { stats, pending: pending - saved, spooled, exchanges_open }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;
    use crate::config::Config;
    use crate::interaction::InteractionKind;

    /// Simulates a fork: the test holds the worker's end without reading it, and the clock belongs
    /// to another process.
    #[test]
    fn in_a_forked_child_flush_and_shutdown_return_at_once_and_say_what_is_held() {
        let config = Config::builder("app", "key").build().unwrap();
        let (sender, receiver) = handoff::channel(Arc::new(Budget::new(config.limits)), config.capturing);
        let (commands, mut inbox) = mpsc::unbounded_channel();
        let clock = Clock::of(process::id() + 1);
        let reporter = Reporter { link: Some(Link { sender: sender.clone(), commands, clock }) };
        let report = || reporter.report(Interaction::new(InteractionKind::Chat, &1, &2).unwrap());
        (0..3).for_each(|_| report());
        let permit = sender.budget().acquire(0).unwrap();

        let hour = Duration::from_secs(3_600);
        let flushed = futures_executor::block_on(reporter.flush(hour));
        assert_eq!(flushed, FlushSummary { pending: 3, ..FlushSummary::default() });
        let ended = futures_executor::block_on(reporter.shutdown(hour));
        assert_eq!(ended, ShutdownSummary { dropped: 3, exchanges_open: 1, ..ShutdownSummary::default() });
        assert!(!flushed.is_complete() && !ended.is_complete());
        assert!(inbox.try_recv().is_err(), "nobody is asked");
        assert!(!sender.budget().is_closed());
        drop((permit, receiver));
    }
}
