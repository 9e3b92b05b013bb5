//! The worker's commands.

use std::collections::{HashSet, VecDeque};

use std::time::Duration;

use tokio::time::Instant;

use super::{Command, Deadline, Delivery, Worker};
use crate::delivery::Transport;
use crate::delivery::job::Job;
use crate::reporter::summary::{Flush, Reply};

/// How long a shutdown with all reports on disk waits for attempts under way. A healthy collector
/// answers sooner, also over a new connection.
const ANSWER: Duration = Duration::from_secs(3);

/// How long it waits for the next attempt or success otherwise.
const NO_PROGRESS: Duration = Duration::from_millis(250);

impl<S: Transport> Worker<S> {
    pub(crate) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Flush(deadline, reply) => self.begin_flush(deadline, Reply::Flush(reply)),
            Command::Shutdown(deadline, reply) => self.begin_flush(deadline, Reply::Shutdown(reply)),
            Command::Deliver(delivery) => self.deliver(*delivery),
        }
    }

    fn deliver(&mut self, Delivery { reservation, report, receipt }: Delivery) {
        // A flush begun before does not wait for it: it was not in the queue then.
        self.next_job += 1;
        let job = Job::new(self.next_job, reservation, report, VecDeque::new());
        self.spooler.push(Job { receipt: Some(receipt), ..job }, &mut self.dispatcher.schedule);
    }

    pub(crate) fn begin_flush(&mut self, deadline: Deadline, reply: Reply) {
        // The jobs settled so far are no longer held.
        self.account();
        let (now, deadline) = (Instant::now(), deadline.map(Instant::from_std));
        let flush = Flush {
            queued: self.receiver.queue.len(),
            last: self.next_job,
            held: self.held(),
            jobs: HashSet::new(),
            spooled: self.receiver.budget.counters().on_disk(),
            begun: now,
            deadline,
            half_time: deadline.map(|deadline| now + deadline.saturating_duration_since(now) / 2),
            reply,
        };
        if flush.is_last() {
            self.dispatcher.retry_now();
        }
        self.flushes.push(flush);
    }

    /// Answers the flushes that are complete. Returns whether one of them is the worker's last.
    pub(crate) fn answer_flushes(&mut self) -> bool {
        self.account();
        if self.flushes.is_empty() {
            return false;
        }
        let (now, is_queue_empty) = (Instant::now(), self.receiver.queue.len() == 0);
        self.look_for_end(now);
        if self.ends_at.is_some_and(|moment| moment <= now) {
            return true;
        }
        let has_more = self.spooler.has_more(&self.dispatcher.schedule);
        let is_over = |flush: &Flush| flush.is_over(now, is_queue_empty, has_more);
        if self.flushes.iter().any(|flush| flush.is_last() && is_over(flush)) {
            return true;
        }
        let stats = || self.receiver.budget.stats();
        self.flushes.extract_if(.., |flush| is_over(flush)).for_each(|flush| flush.answer(stats()));
        false
    }

    /// Sets when a shutdown ends before its deadline: all reports are on disk, and the collector has
    /// not accepted one for a while.
    fn look_for_end(&mut self, now: Instant) {
        let schedule = &self.dispatcher.schedule;
        let is_held_elsewhere =
            self.aside.len() > 0 || self.receiver.queue.len() > 0 || self.spooler.is_busy();
        let is_saved = schedule.len() == schedule.on_disk() && !is_held_elsewhere;
        let begun = self.flushes.iter().find(|flush| flush.is_last()).map(|flush| flush.begun);
        let Some(begun) = begun.filter(|_| is_saved) else {
            (self.saved_since, self.ends_at) = (None, None);
            return;
        };
        let since = begun.max(*self.saved_since.get_or_insert(now));
        let since = self.dispatcher.last_success().map_or(since, |last| last.max(since));
        self.ends_at = Some(match self.dispatcher.newest_attempt() {
            Some(begun) => since.max(begun) + ANSWER,
            None => since + NO_PROGRESS,
        });
    }

    pub(crate) fn account(&mut self) {
        for (id, settlement) in self.dispatcher.schedule.take_settled() {
            self.flushes.iter_mut().for_each(|flush| flush.settled(id, settlement));
        }
    }
}
