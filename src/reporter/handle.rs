use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tower::{BoxError, Service};

use super::flush::{FlushReport, ShutdownReport};
use super::spooler::Spooler;
use super::worker::{Command, Worker};
use crate::budget::Budget;
use crate::config::Config;
use crate::interaction::Interaction;
use crate::queue::{self, Intake};
use crate::report::Report;
use crate::stats::{DropReason, Settlement, Stats};

/// A handle to what sends the reports of a layer: counts, flush, shutdown, and reports by hand.
///
/// Clones are cheap and mean the same reporter. The reporter of a disabled layer does nothing and counts nothing.
#[derive(Clone)]
pub struct Reporter {
    link: Option<Link>,
}

#[derive(Clone)]
struct Link {
    intake: Intake,
    commands: mpsc::UnboundedSender<Command>,
}

impl Reporter {
    pub(crate) fn disabled() -> Self {
        Self { link: None }
    }

    /// Starts the thread that everything behind the queue runs on. It has a runtime of its own, so that it neither
    /// competes with the application's nor ends with it.
    pub(crate) fn start<S>(config: Config, transport: impl FnOnce() -> S + Send + 'static) -> Self
    where
        S: Service<Report> + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let budget = Arc::new(Budget::new(config.limits));
        let (intake, outlet) = queue::channel(Arc::clone(&budget), config.capturing);
        let (commands, inbox) = mpsc::unbounded_channel();
        let spooler = Spooler::of(&config);
        let (reporting, patience) = (config.reporting, config.patience);
        let started = thread::Builder::new().name("reconify".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(async {
                        Worker::new(outlet, inbox, transport(), reporting, patience, spooler, fastrand::f64)
                            .run()
                            .await;
                    });
                    // A hook or a disk that hangs does not keep this thread.
                    runtime.shutdown_background();
                }
                Err(error) => {
                    drop(outlet);
                    tracing::error!(%error, "the reporter has no runtime: nothing will be reported");
                }
            }
        });
        if let Err(error) = started {
            intake.stop();
            tracing::error!(%error, "the reporter has no thread: nothing will be reported");
        }
        Self::linked(intake, commands)
    }

    pub(super) fn linked(intake: Intake, commands: mpsc::UnboundedSender<Command>) -> Self {
        Self { link: Some(Link { intake, commands }) }
    }

    pub(crate) fn intake(&self) -> Option<&Intake> {
        self.link.as_ref().map(|link| &link.intake)
    }

    /// What became of every interaction so far.
    pub fn stats(&self) -> Stats {
        self.link.as_ref().map(|link| link.intake.budget().stats()).unwrap_or_default()
    }

    /// Reports what never crossed the layer. It is counted as captured, and takes its place in the same queue and
    /// budget; without room it is dropped and counted.
    pub fn report(&self, interaction: Interaction) {
        let Some(link) = &self.link else { return };
        let Some(mut admission) = link.intake.budget().admit() else {
            return;
        };
        let bytes = interaction.request.len() + interaction.response.len();
        if admission.budget().charge(bytes) {
            admission.own(bytes);
            link.intake.report(admission, interaction);
            link.intake.announce();
        } else {
            admission.settle(Settlement::Dropped(DropReason::TooManyBytes));
        }
    }

    /// Waits until everything that was handed over before is settled, but no longer than the deadline.
    ///
    /// Exchanges whose response is still being read are not waited for. It works under any async runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing but that nobody learns the result.
    ///
    /// ```no_run
    /// # async fn flush(reporter: tower_reconify::Reporter) {
    /// use std::time::{Duration, Instant};
    ///
    /// let report = reporter.flush(Duration::from_secs(2)).await;
    /// println!("{} delivered, {} still on their way", report.delivered, report.pending);
    /// # }
    /// ```
    pub async fn flush(&self, deadline: Duration) -> FlushReport {
        let report = self.ask(|reply| Command::Flush(Instant::now().checked_add(deadline), reply)).await;
        report.unwrap_or_else(|| {
            let Stats { pending, spooled, .. } = self.stats();
            FlushReport { pending: pending - spooled.min(pending), spooled, ..FlushReport::default() }
        })
    }

    /// Stops capturing, delivers what was handed over before, and ends the worker: no later than the deadline.
    ///
    /// Requests pass through the layer as before; they are counted as captured and dropped. Exchanges in flight are
    /// delivered if they end while this waits for others; it does not wait for them. What the deadline comes before is
    /// dropped. It works under any async runtime, and after the application's has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing but that nobody learns the result: the shutdown goes on.
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
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        if let Some(link) = &self.link {
            link.intake.budget().close();
        }
        let report = self.ask(|reply| Command::Shutdown(Instant::now().checked_add(deadline), reply)).await;
        report.unwrap_or_else(|| {
            let Stats { pending, spooled, .. } = self.stats();
            ShutdownReport { in_flight: pending - spooled.min(pending), spooled, ..ShutdownReport::default() }
        })
    }

    /// The answer to a command; `None`, if there is no worker (any more) to give it.
    async fn ask<R>(&self, command: impl FnOnce(oneshot::Sender<R>) -> Command) -> Option<R> {
        let (reply, answer) = oneshot::channel();
        self.link.as_ref()?.commands.send(command(reply)).ok()?;
        answer.await.ok()
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
