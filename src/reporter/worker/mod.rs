//! The worker: takes exchanges from the queue and delivers them.

pub(crate) mod aside;
mod flush;
pub(crate) mod prepare;
mod shutdown;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep};
use tower::Service;

use self::aside::{Aside, NoThread};
use self::prepare::{Prepared, Unmade};
use super::spooling::{Conditions, Spooler};
use super::summary::{FinalCounts, Flush};
use crate::budget::{Budget, Reservation};
use crate::config::{ReportOptions, RetryLimits};
use crate::delivery::Transport;
use crate::delivery::dispatcher::{Dispatcher, until};
use crate::delivery::job::Job;
use crate::delivery::outage_log::{LossLog, RecoveryLog};
use crate::handoff::{Queue, Receiver};
use crate::report::Report;
use crate::stats::{DropReason, Settlement};
use crate::translation::Effort;

/// While exchanges are in flight, the worker polls the queue at these intervals. Waking it would
/// cost the caller microseconds; polling costs the worker's thread next to nothing.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_millis(50);

/// After this many polls without a result, which take half a second, the worker sleeps until an
/// exchange begins.
const TICKS_BEFORE_SLEEP: u32 = 10;

/// The most time for taking and reading exchanges before deliveries and deadlines get a turn.
const TURN: Duration = Duration::from_millis(10);

/// Bodies that wait to be read may hold this fraction of the budget: one part in eight.
const WAITING_PART: usize = 8;

/// The latest time to answer; `None` if it is beyond the range of the clock.
pub(super) type Deadline = Option<std::time::Instant>;

/// A request of a [`Reporter`](super::Reporter) to the worker.
pub(super) enum Command {
    Flush(Deadline, oneshot::Sender<FinalCounts>),
    Shutdown(Deadline, oneshot::Sender<FinalCounts>),
    Deliver(Box<Delivery>),
}

/// A stored report to be delivered.
pub(super) struct Delivery {
    pub(super) reservation: Reservation,
    pub(super) report: Report,
    /// Gets the settlement. It is dropped if the worker ends before.
    pub(super) receipt: oneshot::Sender<Settlement>,
}

pub(super) struct Worker<S: Service<Report>> {
    pub(super) receiver: Receiver,
    pub(super) inbox: mpsc::UnboundedReceiver<Command>,
    reporting: Arc<ReportOptions>,
    pub(super) dispatcher: Dispatcher<S>,
    pub(super) spooler: Spooler,
    pub(super) aside: Aside,
    pub(super) flushes: Vec<Flush>,
    next_job: u64,
    /// Polls of the queue without a result since the last result.
    idle_polls: u32,
    /// All handles are gone, so no exchange, report or command can follow.
    pub(super) is_abandoned: bool,
    pub(super) losses: LossLog,
    pub(super) recoveries: RecoveryLog,
    /// Since when all reports have been on disk during a shutdown, and when the worker therefore ends.
    saved_since: Option<Instant>,
    ends_at: Option<Instant>,
}

#[expect(clippy::large_enum_variant, reason = "it is matched where it is returned")]
enum WorkerEvent {
    Command(Command),
    Abandoned,
    Prepared(u64, Prepared),
    Progress,
    Look,
    Deadline,
}

impl<S: Transport> Worker<S> {
    pub(super) fn new(
        receiver: Receiver,
        inbox: mpsc::UnboundedReceiver<Command>,
        transport: S,
        reporting: Arc<ReportOptions>,
        (concurrent_deliveries, retry_limits): (usize, RetryLimits),
        spooler: Spooler,
        random: fn() -> f64,
    ) -> Self {
        let room_aside = receiver.budget.most_bytes() / WAITING_PART;
        Self {
            receiver,
            inbox,
            aside: Aside::new(Arc::clone(&reporting), room_aside),
            reporting,
            dispatcher: Dispatcher::new(transport, concurrent_deliveries, retry_limits, random),
            spooler,
            flushes: Vec::new(),
            next_job: 0,
            idle_polls: 0,
            is_abandoned: false,
            losses: LossLog::default(),
            recoveries: RecoveryLog::default(),
            saved_since: None,
            ends_at: None,
        }
    }

    /// Runs until a shutdown, or until all handles are gone and the remaining work is done.
    pub(super) async fn run(mut self) {
        // The work between two polls of the event sources is limited in time.
        let mut turn = Instant::now();
        loop {
            self.take_exchanges(turn);
            self.begin_aside();
            self.spool(false);
            self.dispatcher.start().await;
            self.publish_gauges();
            self.begin_last_flush();
            if self.answer_flushes() {
                return self.end().await;
            }
            let event = self.next_event().await;
            turn = Instant::now();
            match event {
                WorkerEvent::Command(command) => self.handle_command(command),
                WorkerEvent::Abandoned => self.is_abandoned = true,
                WorkerEvent::Prepared(id, prepared) => self.go_on_with(id, prepared),
                WorkerEvent::Look => self.idle_polls = self.idle_polls.saturating_add(1),
                WorkerEvent::Progress => self.go_on(turn).await,
                WorkerEvent::Deadline => {}
            }
        }
    }

    /// Drains finished attempts and starts the next report after each, so that it reuses the memory
    /// just freed. Attempts that do not fit into the turn wait for the next one.
    async fn go_on(&mut self, turn: Instant) {
        loop {
            // A transport that answers immediately would starve the other tasks on this thread,
            // such as its own.
            consume_budget().await;
            if !self.dispatcher.finish_next().await || !self.take_exchanges(turn) {
                return;
            }
            self.dispatcher.start().await;
        }
    }

    async fn next_event(&mut self) -> WorkerEvent {
        let has_room = self.has_room();
        let Receiver { queue, .. } = &self.receiver;
        let has_more = if has_room { queue.len() > 0 } else { queue.compact() };
        // Items that wait for room are no reason to poll.
        let waiting = if has_room { 0 } else { queue.len() };
        let (known, look) = (self.held() + waiting, self.idle_polls);
        let waits_for_ends = self.is_abandoned && !self.is_in_last_flush();
        let moments = self.flushes.iter().filter_map(Flush::next_moment);
        let deadline = moments.chain(self.ends_at).min();
        let Receiver { budget, queue, abandoned } = &mut self.receiver;
        tokio::select! {
            Some(command) = self.inbox.recv() => WorkerEvent::Command(command),
            _ = abandoned.recv(), if !self.is_abandoned => WorkerEvent::Abandoned,
            (id, prepared) = self.aside.next() => WorkerEvent::Prepared(id, prepared),
            () = self.dispatcher.progress() => WorkerEvent::Progress,
            () = self.spooler.progress() => WorkerEvent::Progress,
            () = until(deadline) => WorkerEvent::Deadline,
            // The other event sources get a turn before the rest of the queue.
            () = tokio::task::yield_now(), if has_more => WorkerEvent::Progress,
            () = await_exchanges(budget, queue, known, look), if !has_more => WorkerEvent::Look,
            () = sleep(LONGEST_TICK), if waits_for_ends && !has_room => WorkerEvent::Progress,
        }
    }

    /// Writes reports to disk as necessary, and loads reports from disk.
    pub(super) fn spool(&mut self, is_over: bool) {
        let now = Instant::now();
        let is_late = self.flushes.iter_mut().any(|flush| flush.is_ending(now));
        // One failure is reason enough for a process that ends.
        let is_doubtful = self.dispatcher.is_doubtful() && self.flushes.iter().any(Flush::is_last);
        let conditions = Conditions {
            is_failing: self.dispatcher.is_failing(),
            is_ending: is_over || is_late || is_doubtful,
            is_over,
            is_budget_half_full: self.receiver.budget.is_half_full(),
        };
        let (next_job, flushes) = (&mut self.next_job, &mut self.flushes);
        let next_id = || begin_job(next_job, flushes, false);
        self.spooler.step(conditions, &mut self.dispatcher.schedule, &self.receiver.budget, next_id);
    }

    /// Publishes the values that other threads read.
    fn publish_gauges(&mut self) {
        let counters = self.receiver.budget.counters();
        counters.set_sending(self.dispatcher.in_flight());
        self.recoveries.look(counters.recovered(), false);
        self.losses.look(|| self.receiver.budget.stats(), self.dispatcher.last_loss());
    }

    /// The interactions that the worker holds, each with its reservation.
    pub(super) fn held(&self) -> usize {
        self.dispatcher.schedule.len() + self.aside.len()
    }

    fn has_room(&self) -> bool {
        self.has_room_for_reports() && self.aside.has_room()
    }

    /// Whether another report could be sent or written now.
    fn has_room_for_reports(&self) -> bool {
        let room = match self.spooler.writes_ahead() {
            true => self.spooler.room(&self.dispatcher.schedule),
            false => self.dispatcher.room(),
        };
        room > 0
    }

    /// Takes exchanges from the queue while there is room. Returns whether the turn has time left.
    pub(super) fn take_exchanges(&mut self, turn: Instant) -> bool {
        while turn.elapsed() < TURN {
            let item = if self.has_room() { self.receiver.queue.pop() } else { None };
            let Some(item) = item else { return true };
            self.idle_polls = 0;
            let id = begin_job(&mut self.next_job, &mut self.flushes, true);
            let prepared = prepare::job(id, item, &self.reporting, Effort::Try);
            self.go_on_with(id, prepared);
        }
        false
    }

    /// Moves an item to the next stage.
    pub(super) fn go_on_with(&mut self, id: u64, prepared: Prepared) {
        match prepared {
            Prepared::Done(result) => self.enqueue(id, result),
            Prepared::Lost => self.discard(id, Settlement::Dropped(DropReason::Panicked)),
            Prepared::Hooks(reservation, interaction) => {
                if let Err(NoThread) = self.aside.ask(id, reservation, interaction) {
                    self.discard(id, Settlement::Dropped(DropReason::Panicked));
                }
            }
            Prepared::TooMuch(item) => {
                if let Err(item) = self.aside.wait(id, item) {
                    let prepared = prepare::job(id, item, &self.reporting, Effort::Unread);
                    self.go_on_with(id, prepared);
                }
            }
        }
    }

    /// Starts work on other threads where there is room.
    pub(super) fn begin_aside(&mut self) {
        if let Some((id, reservation, interaction)) = self.aside.take_read() {
            self.go_on_with(id, Prepared::Hooks(reservation, interaction));
        }
        while self.has_room_for_reports()
            && let Some((id, NoThread)) = self.aside.read_next()
        {
            self.discard(id, Settlement::Dropped(DropReason::Panicked));
        }
    }

    pub(super) fn enqueue(&mut self, id: u64, result: Result<Job, Unmade>) {
        match result {
            Ok(job) => self.spooler.push(job, &mut self.dispatcher.schedule),
            Err((reservation, settlement)) => {
                reservation.settle(settlement);
                self.discard(id, settlement);
            }
        }
    }

    fn discard(&mut self, id: u64, settlement: Settlement) {
        self.flushes.iter_mut().for_each(|flush| flush.settled(id, settlement));
    }
}

fn begin_job(next_job: &mut u64, flushes: &mut [Flush], is_new: bool) -> u64 {
    *next_job += 1;
    let id = *next_job;
    flushes.iter_mut().for_each(|flush| if is_new { flush.started(id) } else { flush.resumed(id) });
    id
}

/// Waits until the next poll for finished exchanges.
async fn await_exchanges(budget: &Budget, queue: &Queue, held: usize, idle_polls: u32) {
    let is_idle = || budget.items() == held;
    if idle_polls >= TICKS_BEFORE_SLEEP && is_idle() {
        queue.sleep_while(is_idle).await;
    } else {
        sleep((SHORTEST_TICK * (idle_polls + 1)).min(LONGEST_TICK)).await;
    }
}
