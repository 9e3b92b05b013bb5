//! The worker's shutdown.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Worker;
use crate::delivery::Transport;
use crate::names::LOG;
use crate::reporter::summary::{FinalCounts, Reply};

/// How long deliveries continue once all handles are gone.
const GRACE: Duration = Duration::from_secs(5);

/// How long to collect attempts that have ended in the meantime.
const LAST_ANSWERS: Duration = Duration::from_millis(10);

/// How long past the deadline the remaining reports are written to disk.
const LAST_WRITES: Duration = Duration::from_millis(60);

impl<S: Transport> Worker<S> {
    /// Starts the worker's own last flush, once all handles are gone and the last exchange has
    /// ended.
    pub(crate) fn begin_last_flush(&mut self) {
        let is_due = self.is_abandoned && !self.is_in_last_flush();
        if is_due && self.receiver.budget.items() <= self.held() + self.receiver.queue.len() {
            while let Ok(command) = self.inbox.try_recv() {
                self.handle_command(command);
            }
            self.begin_flush(Some((Instant::now() + GRACE).into_std()), Reply::Abandoned);
        }
    }

    pub(crate) fn is_in_last_flush(&self) -> bool {
        self.flushes.iter().any(|flush| matches!(flush.reply, Reply::Abandoned))
    }

    /// Saves reports where possible, drops the rest, and then answers all callers. Their counts are
    /// exact except for exchanges that other threads are still reading: the answer includes those
    /// as dropped, and the counters follow when they end.
    pub(crate) async fn end(mut self) {
        self.inbox.close();
        while let Ok(command) = self.inbox.try_recv() {
            self.handle_command(command);
        }
        while let Some((id, prepared)) = self.aside.try_next() {
            self.go_on_with(id, prepared);
        }
        self.dispatcher.finish_ended(Instant::now() + LAST_ANSWERS).await;
        self.account();
        let why = self.dispatcher.explain();
        self.dispatcher.abort();
        self.save(Instant::now() + LAST_WRITES).await;
        drop(self.dispatcher);
        self.aside.clear();
        self.receiver.stop();
        let counters = self.receiver.budget.counters();
        counters.set_sending(0);
        let stats = self.receiver.budget.stats();
        self.recoveries.look(stats.recovered, true);
        let (pending, spooled) = (self.aside.len() as u64, stats.spooled);
        let exchanges_open = stats.pending.saturating_sub(pending);
        let lost = self.losses.take(&stats) + pending;
        if lost > 0 {
            tracing::warn!(target: LOG, lost, spooled, exchanges_open, %why, %stats, "reports were not delivered");
        } else if spooled > 0 {
            tracing::info!(target: LOG, spooled, %why, "reports stay on disk for the next process");
        }
        let outcome = FinalCounts { stats, pending, spooled, exchanges_open };
        self.flushes.into_iter().for_each(|flush| flush.reply.send(outcome.clone()));
    }

    /// Writes unsettled reports to disk, if there is a spool.
    async fn save(&mut self, until: Instant) {
        while Instant::now() < until {
            self.spool(true);
            if self.spooler.writes_ahead() {
                self.take_exchanges(Instant::now());
                self.begin_aside();
                self.spool(true);
            }
            let reads = self.spooler.writes_ahead() && self.aside.len() > 0;
            let has_more = self.spooler.writes_ahead() && self.receiver.queue.len() > 0;
            let writes = self.spooler.is_busy();
            if !(reads || has_more || writes) {
                break;
            }
            tokio::select! {
                () = self.spooler.progress(), if writes => {}
                (id, prepared) = self.aside.next(), if reads => self.go_on_with(id, prepared),
                () = tokio::task::yield_now(), if has_more => {}
                () = sleep_until(until) => {}
            }
        }
        self.dispatcher.schedule.evict();
        self.receiver.budget.counters().set_spooled_and_held(0);
        if let Some(closing) = self.spooler.close() {
            // Closing may continue in the background.
            drop(timeout_at(until, closing).await);
        }
    }
}
