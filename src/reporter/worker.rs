//! The worker: takes what was handed over, and sees to it that it is delivered.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tower::{BoxError, Service};

use super::deliveries::Deliveries;
use super::flush::{Flush, FlushReport, Reply, ShutdownReport};
use super::prepare;
use crate::budget::{Admission, Budget};
use crate::interaction::Interaction;
use crate::queue::{Outlet, Queue};
use crate::report::Report;

/// While exchanges are under way the worker looks for ended ones by itself, between these intervals: waking it would
/// cost the caller microseconds, looking costs the worker's thread next to nothing.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_millis(50);

/// After this many looks in vain, half a second's, the worker sleeps until an exchange begins.
const TICKS_BEFORE_SLEEP: u32 = 10;

/// How many exchanges are taken before the deliveries get their turn.
const BATCH: usize = 64;

/// How long deliveries go on once everything that could ask for them is gone.
const GRACE: Duration = Duration::from_secs(5);

/// What a [`Reporter`](super::Reporter) asks of the worker.
pub(super) enum Command {
    Report(Admission, Box<Interaction>),
    Flush(Duration, oneshot::Sender<FlushReport>),
    Shutdown(Duration, oneshot::Sender<ShutdownReport>),
}

pub(super) struct Worker<S> {
    outlet: Outlet,
    inbox: mpsc::UnboundedReceiver<Command>,
    session_timeout: Option<u32>,
    deliveries: Deliveries<S>,
    flushes: Vec<Flush>,
    next_job: u64,
    /// Looks at the queue that found nothing, since the last that did.
    vain_looks: u32,
    is_abandoned: bool,
}

enum Event {
    Command(Command),
    Abandoned,
    Progress,
    Look,
    Deadline,
}

impl<S> Worker<S>
where
    S: Service<Report>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    pub(super) fn new(
        outlet: Outlet,
        inbox: mpsc::UnboundedReceiver<Command>,
        transport: S,
        session_timeout: Option<u32>,
    ) -> Self {
        Self {
            outlet,
            inbox,
            session_timeout,
            deliveries: Deliveries::new(transport),
            flushes: Vec::new(),
            next_job: 0,
            vain_looks: 0,
            is_abandoned: false,
        }
    }

    /// Works until it is shut down, or nothing is left that could give it work.
    pub(super) async fn run(mut self) {
        loop {
            self.take_exchanges();
            self.deliveries.start().await;
            self.account();
            if let Some((reply, report)) = self.answer_flushes() {
                return self.end(reply, report).await;
            }
            if self.deliveries.room() > 0 && self.outlet.queue.len() > 0 {
                tokio::task::yield_now().await;
                continue;
            }
            match self.next_event().await {
                Event::Command(Command::Report(admission, interaction)) => {
                    self.take_interaction(admission, &interaction)
                }
                Event::Command(Command::Flush(deadline, reply)) => {
                    self.begin_flush(deadline, Reply::Flush(reply))
                }
                Event::Command(Command::Shutdown(deadline, reply)) => {
                    self.begin_flush(deadline, Reply::Shutdown(reply));
                }
                Event::Abandoned => {
                    self.is_abandoned = true;
                    self.begin_flush(GRACE, Reply::Abandoned);
                }
                Event::Look => self.vain_looks = self.vain_looks.saturating_add(1),
                Event::Progress | Event::Deadline => {}
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let has_room = self.deliveries.room() > 0;
        let (known, look) = (self.deliveries.len(), self.vain_looks);
        let deadline = self.flushes.iter().filter_map(|flush| flush.deadline).min();
        let Outlet { budget, queue, abandoned } = &mut self.outlet;
        tokio::select! {
            Some(command) = self.inbox.recv() => Event::Command(command),
            _ = abandoned.recv(), if !self.is_abandoned => Event::Abandoned,
            () = self.deliveries.progress() => Event::Progress,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Event::Deadline,
            () = await_exchanges(budget, queue, known, look), if has_room => Event::Look,
        }
    }

    fn take_exchanges(&mut self) {
        for _ in 0..BATCH.min(self.deliveries.room()) {
            let Some(exchange) = self.outlet.queue.pop() else {
                return;
            };
            self.vain_looks = 0;
            let id = self.next_id();
            self.flushes.iter_mut().for_each(|flush| flush.started(id));
            match prepare::exchange(id, exchange, self.session_timeout) {
                Ok(job) => self.deliveries.push(job),
                Err(settlement) => self.flushes.iter_mut().for_each(|flush| flush.settled(id, settlement)),
            }
        }
    }

    fn take_interaction(&mut self, admission: Admission, interaction: &Interaction) {
        let id = self.next_id();
        // Flushes that began before do not wait for it, so nobody needs to hear how it was settled.
        if let Ok(job) = prepare::interaction(id, admission, interaction, self.session_timeout) {
            self.deliveries.push(job);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.next_job += 1;
        self.next_job
    }

    fn begin_flush(&mut self, deadline: Duration, reply: Reply) {
        self.flushes.push(Flush {
            queued: self.outlet.queue.len(),
            jobs: self.deliveries.jobs().collect(),
            report: FlushReport::default(),
            deadline: Instant::now().checked_add(deadline),
            reply,
        });
    }

    fn account(&mut self) {
        for (id, settlement) in self.deliveries.take_settled() {
            self.flushes.iter_mut().for_each(|flush| flush.settled(id, settlement));
        }
    }

    /// Answers the flushes that are over. Returns one that the worker is to end with.
    fn answer_flushes(&mut self) -> Option<(Reply, FlushReport)> {
        let now = Instant::now();
        let mut last = None;
        for flush in self.flushes.extract_if(.., |flush| flush.is_over(now)) {
            let report = flush.report();
            match flush.reply {
                // Whoever asked may be gone: then nobody learns the result.
                Reply::Flush(reply) => drop(reply.send(report)),
                reply => last = Some((reply, report)),
            }
        }
        last
    }

    /// Drops what is left, and then says so: the counts are exact when the caller has the answer.
    async fn end(self, reply: Reply, report: FlushReport) {
        let Self { outlet, deliveries, .. } = self;
        deliveries.abort().await;
        outlet.stop();
        if let Reply::Shutdown(reply) = reply {
            let _ = reply.send(ShutdownReport::of(report, outlet.budget.items() as u64));
        }
    }
}

/// Waits until it is time to look for ended exchanges.
async fn await_exchanges(budget: &Budget, queue: &Queue, known: usize, vain_looks: u32) {
    let is_idle = || budget.items() == known;
    if vain_looks >= TICKS_BEFORE_SLEEP && is_idle() {
        queue.sleep_while(is_idle).await;
    } else {
        sleep((SHORTEST_TICK * (vain_looks + 1)).min(LONGEST_TICK)).await;
    }
}
