//! How the worker uses the spool: when reports are written to disk and when they are loaded.
//!
//! A report is either on disk only, or in memory as well. Reports that are in both places belong to
//! a single segment, the head: the segment whose reports are being sent. A crash therefore repeats
//! at most one segment.

mod damage;
mod item;
mod outcome;
mod task;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use self::damage::Damage;
use self::task::{Done, Running, Task};
use crate::budget::Budget;
use crate::config::{self, Config, Destination, Spooling};
use crate::delivery::Retry;
use crate::delivery::dispatcher::until;
use crate::delivery::job::Job;
use crate::delivery::schedule::Schedule;
use crate::spool::{OsFs, SEGMENT_BYTES, SegmentId, SegmentStore, SpoolSettings, app_folder};

/// The most reports, and bytes of reports, in one write.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The most reports of the head to hold in memory. Later reports go to another segment and stay on
/// disk.
const HEAD: usize = 256;

/// The interval between scans for folders of dead processes.
const ADOPTION: Duration = Duration::from_secs(60);

/// With more reports than these waiting for a retry, they are not rewritten: the head waits for
/// them.
const MOST_RETRIES: usize = 64;

/// A disk operation that takes longer counts as hung; reports then continue in memory.
const STUCK: Duration = Duration::from_secs(3);

pub(crate) struct Spooler {
    /// `None` if the spool is off.
    settings: Option<SpoolSettings>,
    is_always: bool,
    state: State,
    is_stuck: bool,
    /// Reports being written, each with the time of its next attempt.
    writing: Vec<(u64, Option<Instant>)>,
    head: Option<SegmentId>,
    /// The number of this process's reports per segment that are on disk only.
    resting: HashMap<SegmentId, u64>,
    /// Segments of reports that wait for a retry, each with the time of its earliest attempt.
    retry_segments: HashMap<SegmentId, Instant>,
    /// The attempts made for the reports in retry segments.
    retries: HashMap<Uuid, Retry>,
    /// There are segments other than the head and the retry segments.
    has_backlog: bool,
    next_load: Instant,
    next_adoption: Instant,
    failures: u32,
    told: Option<Instant>,
    damage: Damage,
    /// The disk failed: no operations before this time.
    pause: Option<Instant>,
    conditions: Conditions,
}

enum State {
    Closed,
    Idle(SegmentStore<OsFs>),
    /// An operation, and its start.
    Busy(Running, Instant),
    /// The result of the operation; `None` if it panicked.
    Ended(Option<(Option<SegmentStore<OsFs>>, Done)>),
}

/// The state of the worker, as far as it affects the spool.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    /// The collector accepts no reports.
    pub(crate) is_failing: bool,
    /// The worker will end soon, or ends now.
    pub(crate) is_ending: bool,
    /// The worker ends now and loads no more reports.
    pub(crate) is_over: bool,
    pub(crate) is_budget_half_full: bool,
}

impl Spooler {
    pub(crate) fn of(config: &Config) -> Self {
        let spool = config.spool.as_ref().zip(config.destination.as_ref());
        let settings = |(spool, to): (&config::Spool, &Destination)| SpoolSettings {
            folder: spool.folder.clone(),
            app: app_folder(to.app_key.expose_secret()),
            max_bytes: spool.max_bytes.unwrap_or_default(),
            segment_bytes: SEGMENT_BYTES,
        };
        let now = Instant::now();
        Self {
            settings: spool.map(settings),
            is_always: spool.is_some_and(|(spool, _)| spool.spooling == Some(Spooling::Always)),
            state: State::Closed,
            is_stuck: false,
            writing: Vec::new(),
            head: None,
            resting: HashMap::new(),
            retry_segments: HashMap::new(),
            retries: HashMap::new(),
            has_backlog: false,
            next_load: now,
            next_adoption: now,
            failures: 0,
            told: None,
            damage: Damage::default(),
            pause: None,
            conditions: Conditions::default(),
        }
    }

    /// Whether reports must be on disk before their first attempt.
    pub(crate) fn writes_ahead(&self) -> bool {
        self.is_usable() && (self.is_always || self.should_spill())
    }

    /// Schedules a job. It is written first if necessary.
    pub(crate) fn push(&self, job: Job, schedule: &mut Schedule) {
        let writes = self.writes_ahead() && job.is_spoolable();
        if writes { schedule.push_unwritten(job) } else { schedule.push(job) }
    }

    /// How many more reports the spooler can accept.
    pub(crate) fn room(&self, schedule: &Schedule) -> usize {
        BATCH.saturating_sub(schedule.unwritten.len() + self.writing.len())
    }

    /// Whether the spooler has more reports that could be delivered now.
    pub(crate) fn has_more(&self, schedule: &Schedule) -> bool {
        let has_any = self.has_backlog || !schedule.unwritten.is_empty() || !self.writing.is_empty();
        self.is_usable() && !self.conditions.is_failing && has_any
    }

    /// Handles a finished disk operation and starts the next one.
    pub(crate) fn step(
        &mut self,
        conditions: Conditions,
        schedule: &mut Schedule,
        budget: &Arc<Budget>,
        next_id: impl FnMut() -> u64,
    ) {
        let Some(settings) = &self.settings else { return };
        // This may be the last chance to save reports, so the pause ends early.
        let is_last_chance = conditions.is_ending && !self.conditions.is_ending;
        self.conditions = conditions;
        if is_last_chance || self.pause.is_some_and(|until| until <= Instant::now()) {
            self.pause = None;
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Ended(ended) => self.finish(ended, schedule, budget, next_id),
            State::Closed if self.pause.is_none() && !conditions.is_over => {
                self.begin(task::open(settings.clone()));
            }
            state => self.state = state,
        }
        self.damage.look();
        self.release_retry_segments();
        if self.pause.is_none()
            && let State::Idle(_) = self.state
            && let Some(task) = self.next(schedule)
            && let State::Idle(spool) = std::mem::replace(&mut self.state, State::Closed)
        {
            self.begin(task::run(spool, task));
        }
        if !self.is_stuck && matches!(self.state, State::Busy(_, since) if since.elapsed() >= STUCK) {
            self.give_up_waiting(schedule, budget);
        }
        budget.counters().set_spooled_and_held(schedule.on_disk());
    }

    /// Waits until [`step`](Self::step) has work to do.
    ///
    /// # Cancel safety
    ///
    /// No results are lost: a finished operation is kept for `step`.
    pub(crate) async fn progress(&mut self) {
        let waits = self.has_backlog && self.head.is_none() && self.next_load > Instant::now();
        let load = waits.then_some(self.next_load);
        let adopts = self.settings.is_some() && !self.conditions.is_ending;
        let adoption = adopts.then_some(self.next_adoption);
        let later = [self.retry_segments.values().min().copied(), load, adoption, self.damage.end()];
        let later = later.into_iter().flatten().min();
        let moment = match (&self.state, self.pause) {
            (State::Busy(_, since), _) => (!self.is_stuck).then_some(*since + STUCK),
            (State::Ended(_), _) => return,
            (_, Some(until)) => Some(until),
            (State::Closed | State::Idle(_), None) => later,
        };
        let State::Busy(running, _) = &mut self.state else { return until(moment).await };
        tokio::select! {
            ended = running => self.state = State::Ended(ended.ok()),
            () = until(moment) => {}
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(..) | State::Ended(_))
    }

    /// Releases the process's folder, and removes it if it is empty.
    pub(crate) fn close(&mut self) -> Option<JoinHandle<()>> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.damage.ended();
        self.settings.take()?;
        task::spawn(|| drop(state))
    }

    fn is_usable(&self) -> bool {
        self.settings.is_some() && self.pause.is_none() && !self.is_stuck
    }

    /// Whether memory alone is not safe enough for reports.
    fn should_spill(&self) -> bool {
        let Conditions { is_failing, is_ending, is_budget_half_full, .. } = self.conditions;
        is_failing || is_ending || is_budget_half_full
    }

    fn next(&mut self, schedule: &mut Schedule) -> Option<Task> {
        if let Some(head) = self.head.take_if(|_| schedule.on_disk() == 0) {
            return Some(Task::Remove(head));
        }
        let Conditions { is_failing, is_ending, is_over, .. } = self.conditions;
        let now = Instant::now();
        let may_load = !is_over && self.next_load <= now && (schedule.len() == 0 || !is_failing);
        if self.head.is_none() && self.has_backlog && may_load {
            return Some(Task::Load);
        }
        if let Some(task) = self.write(schedule).or_else(|| self.rewrite(schedule)) {
            return Some(task);
        }
        (self.next_adoption <= now && !is_ending).then_some(Task::Adopt)
    }

    fn write(&mut self, schedule: &mut Schedule) -> Option<Task> {
        if (self.should_spill() || self.is_always) && schedule.unsafe_in_memory() > 0 {
            schedule.take(|job| job.segment.is_none() && job.is_spoolable());
        }
        let full = self.head.filter(|_| schedule.on_disk() >= HEAD);
        let items = self.batch(schedule);
        (!items.is_empty()).then_some(Task::Write(items, full))
    }

    /// Moves the last reports of the head, which wait for a retry, to another segment. Otherwise
    /// they would delay the backlog, even as probes.
    fn rewrite(&mut self, schedule: &mut Schedule) -> Option<Task> {
        if self.head.is_none() || !self.has_backlog || !schedule.are_few_retries(MOST_RETRIES) {
            return None;
        }
        schedule.take(|job| job.segment.is_some());
        Some(Task::Rewrite(self.batch(schedule)))
    }

    fn batch(&mut self, schedule: &mut Schedule) -> Vec<crate::spool::SpooledItem> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < BATCH && bytes < BATCH_BYTES {
            let Some((id, due)) = schedule.unwritten.pop_front() else { break };
            let Some(job) = schedule.get(id) else { continue };
            bytes += job.len();
            items.push(job.to_item());
            self.writing.push((id, due));
        }
        items
    }

    /// Without a thread an operation fails, as one does that panics.
    fn begin(&mut self, running: Option<Running>) {
        self.state = running.map_or(State::Ended(None), |running| State::Busy(running, Instant::now()));
    }
}
