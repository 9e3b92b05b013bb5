//! The worker's commands.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{Command, Deadline, Worker};
use crate::delivery::Transport;
use crate::reporter::summary::{Flush, Reply};

impl<S: Transport> Worker<S> {
    pub(crate) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Flush(deadline, reply) => self.begin_flush(deadline, Reply::Flush(reply)),
            Command::Shutdown(deadline, reply) => self.begin_flush(deadline, Reply::Shutdown(reply)),
        }
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
        let has_more = self.spooler.has_more(&self.dispatcher.schedule);
        let is_over = |flush: &Flush| flush.is_over(now, is_queue_empty, has_more);
        if self.flushes.iter().any(|flush| flush.is_last() && is_over(flush)) {
            return true;
        }
        let stats = || self.receiver.budget.stats();
        self.flushes.extract_if(.., |flush| is_over(flush)).for_each(|flush| flush.answer(stats()));
        false
    }

    pub(crate) fn account(&mut self) {
        for (id, settlement) in self.dispatcher.schedule.take_settled() {
            self.flushes.iter_mut().for_each(|flush| flush.settled(id, settlement));
        }
    }
}
