//! The worker: takes what was handed over, and sees to it that it is delivered.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep};
use tower::{BoxError, Service};

use super::deliveries::{Deliveries, until};
use super::flush::{Flush, FlushReport, ShutdownReport};
use super::job::Job;
use super::prepare::{self, Unmade};
use super::spooler::{Situation, Spooler};
use super::warnings::Losses;
use crate::budget::Budget;
use crate::config::{Patience, Reporting};
use crate::queue::{Item, Outlet, Queue};
use crate::report::Report;
use crate::stats::{DropReason, Settlement};

/// While exchanges are under way the worker looks for ended ones by itself, between these intervals: waking it would
/// cost the caller microseconds, looking costs the worker's thread next to nothing.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_millis(50);

/// After this many looks in vain, half a second's, the worker sleeps until an exchange begins.
const TICKS_BEFORE_SLEEP: u32 = 10;

/// How long exchanges are taken and read before deliveries and deadlines get their turn.
const TURN: Duration = Duration::from_millis(10);

/// How many exchanges that take long are read at once, each on a thread of its own.
const MAX_HEAVY: usize = 2;

/// When to give up; `None` for a time beyond all clocks.
pub(super) type Deadline = Option<std::time::Instant>;

/// What a [`Reporter`](super::Reporter) asks of the worker.
pub(super) enum Command {
    Flush(Deadline, oneshot::Sender<FlushReport>),
    Shutdown(Deadline, oneshot::Sender<ShutdownReport>),
}

pub(super) struct Worker<S: Service<Report>> {
    pub(super) outlet: Outlet,
    pub(super) inbox: mpsc::UnboundedReceiver<Command>,
    reporting: Arc<Reporting>,
    pub(super) deliveries: Deliveries<S>,
    pub(super) spooler: Spooler,
    /// Exchanges that are being read elsewhere.
    pub(super) heavy: JoinSet<(u64, Result<Job, Unmade>)>,
    pub(super) reading: HashSet<u64>,
    pub(super) flushes: Vec<Flush>,
    next_job: u64,
    /// Looks at the queue that found nothing, since the last that did.
    vain_looks: u32,
    /// Nobody is left who could begin an exchange, report by hand or ask for anything.
    pub(super) is_abandoned: bool,
    pub(super) losses: Losses,
}

enum Event {
    Command(Command),
    Abandoned,
    Read(u64, Result<Job, Unmade>),
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
        reporting: Arc<Reporting>,
        patience: Patience,
        spooler: Spooler,
        random: fn() -> f64,
    ) -> Self {
        Self {
            outlet,
            inbox,
            reporting,
            deliveries: Deliveries::new(transport, patience, random),
            spooler,
            heavy: JoinSet::new(),
            reading: HashSet::new(),
            flushes: Vec::new(),
            next_job: 0,
            vain_looks: 0,
            is_abandoned: false,
            losses: Losses::default(),
        }
    }

    /// Works until it is shut down, or nothing is left that could give it work.
    pub(super) async fn run(mut self) {
        // What is done between two looks at whoever waits has a bound in time.
        let mut turn = Instant::now();
        loop {
            self.take_exchanges(turn);
            self.spool(false);
            self.deliveries.start().await;
            self.note();
            self.begin_last_flush();
            if self.answer_flushes() {
                return self.end().await;
            }
            let event = self.next_event().await;
            turn = Instant::now();
            match event {
                Event::Command(command) => self.obey(command),
                Event::Abandoned => self.is_abandoned = true,
                Event::Read(id, result) => {
                    self.reading.remove(&id);
                    self.take(id, result);
                }
                Event::Look => self.vain_looks = self.vain_looks.saturating_add(1),
                Event::Progress => self.go_on(turn).await,
                Event::Deadline => {}
            }
        }
    }

    /// Deals with what else has ended, and gives the place of each attempt to another report at once: that one gets the memory
    /// that was just given back. What there is no time for has its turn later.
    async fn go_on(&mut self, turn: Instant) {
        loop {
            // A transport that answers at once would let nothing else run on this thread: its own tasks, say.
            consume_budget().await;
            if !self.deliveries.finish_next().await || !self.take_exchanges(turn) {
                return;
            }
            self.deliveries.start().await;
        }
    }

    async fn next_event(&mut self) -> Event {
        let has_room = self.has_room();
        let Outlet { queue, .. } = &self.outlet;
        let has_more = if has_room { queue.len() > 0 } else { queue.compact() };
        // What waits for room is nothing to look for.
        let waiting = if has_room { 0 } else { queue.len() };
        let (known, look) = (self.known() + waiting, self.vain_looks);
        let waits_for_ends = self.is_abandoned && !self.is_in_last_flush();
        let deadline = self.flushes.iter().filter_map(Flush::next_moment).min();
        let Outlet { budget, queue, abandoned } = &mut self.outlet;
        tokio::select! {
            Some(command) = self.inbox.recv() => Event::Command(command),
            _ = abandoned.recv(), if !self.is_abandoned => Event::Abandoned,
            Some(Ok((id, result))) = self.heavy.join_next() => Event::Read(id, result),
            () = self.deliveries.progress() => Event::Progress,
            () = self.spooler.progress() => Event::Progress,
            () = until(deadline) => Event::Deadline,
            // Everybody else gets a turn before the rest of the queue does.
            () = tokio::task::yield_now(), if has_more => Event::Progress,
            () = await_exchanges(budget, queue, known, look), if !has_more => Event::Look,
            () = sleep(LONGEST_TICK), if waits_for_ends && !has_room => Event::Progress,
        }
    }

    /// Has what has to be on disk written, and fetches what is there.
    pub(super) fn spool(&mut self, is_over: bool) {
        let now = Instant::now();
        let situation = Situation {
            is_failing: self.deliveries.is_failing(),
            is_ending: self.flushes.iter_mut().any(|flush| flush.is_ending(now)),
            is_over,
        };
        let (next_job, flushes) = (&mut self.next_job, &mut self.flushes);
        let next_id = || begin_job(next_job, flushes, false);
        self.spooler.step(situation, &mut self.deliveries.lineup, &self.outlet.budget, next_id);
    }

    /// Notes what is seen from outside.
    fn note(&mut self) {
        self.outlet.budget.counters().set_in_flight(self.deliveries.in_flight());
        self.losses.look(|| self.outlet.budget.stats());
    }

    /// Interactions that the worker holds, each with its place.
    pub(super) fn known(&self) -> usize {
        self.deliveries.len() + self.heavy.len()
    }

    fn has_room(&self) -> bool {
        let room = match self.spooler.comes_first() {
            true => self.spooler.room(&self.deliveries.lineup),
            false => self.deliveries.room(),
        };
        self.heavy.len() < MAX_HEAVY.min(room)
    }

    /// Takes what there is room for from the queue. Returns whether there is time left in the turn.
    pub(super) fn take_exchanges(&mut self, turn: Instant) -> bool {
        while turn.elapsed() < TURN {
            let item = if self.has_room() { self.outlet.queue.pop() } else { None };
            let Some(item) = item else { return true };
            self.vain_looks = 0;
            let id = self.begin_job();
            if prepare::is_heavy(&item, &self.reporting) {
                self.prepare_elsewhere(id, item);
            } else {
                self.take(id, prepare::job(id, item, &self.reporting));
            }
        }
        false
    }

    fn prepare_elsewhere(&mut self, id: u64, item: Item) {
        let reporting = Arc::clone(&self.reporting);
        let read = move || (id, prepare::job(id, item, &reporting));
        // It panics where the system gives no thread: the exchange is lost then, and counted as it is dropped.
        match catch_unwind(AssertUnwindSafe(|| self.heavy.spawn_blocking(read))) {
            Ok(_) => drop(self.reading.insert(id)),
            Err(_) => self.leave_out(id, Settlement::Dropped(DropReason::Panicked)),
        }
    }

    fn begin_job(&mut self) -> u64 {
        begin_job(&mut self.next_job, &mut self.flushes, true)
    }

    pub(super) fn take(&mut self, id: u64, result: Result<Job, Unmade>) {
        match result {
            Ok(job) => self.spooler.push(job, &mut self.deliveries.lineup),
            Err((admission, settlement)) => {
                admission.settle(settlement);
                self.leave_out(id, settlement);
            }
        }
    }

    fn leave_out(&mut self, id: u64, settlement: Settlement) {
        self.flushes.iter_mut().for_each(|flush| flush.settled(id, settlement));
    }
}

fn begin_job(next_job: &mut u64, flushes: &mut [Flush], is_new: bool) -> u64 {
    *next_job += 1;
    let id = *next_job;
    flushes.iter_mut().for_each(|flush| if is_new { flush.started(id) } else { flush.resumed(id) });
    id
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
