//! The worker's last deeds.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tower::{BoxError, Service};

use super::Worker;
use crate::report::Report;
use crate::reporter::summary::{Outcome, Reply};

/// How long deliveries go on once everything that could ask for them is gone.
const GRACE: Duration = Duration::from_secs(5);

/// How long is looked for attempts that have ended meanwhile.
const LAST_ANSWERS: Duration = Duration::from_millis(10);

/// How long what is left is written to disk, beyond the deadline.
const LAST_WRITES: Duration = Duration::from_millis(60);

impl<S> Worker<S>
where
    S: Service<Report>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    /// Begins what the worker ends with by itself: once it is abandoned, and the last exchange has ended.
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

    /// Saves what can be saved, drops what is left, and then answers whoever waits. The counts are exact when they have the
    /// answer, but for exchanges that are still being read elsewhere: they are answered as dropped, and counted as that when
    /// they end.
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
        self.dispatcher.abort();
        self.save(Instant::now() + LAST_WRITES).await;
        drop(self.dispatcher);
        self.aside.clear();
        self.receiver.stop();
        let counters = self.receiver.budget.counters();
        counters.set_in_flight(0);
        let stats = self.receiver.budget.stats();
        self.losses.tell(&stats);
        let (pending, spooled) = (self.aside.len() as u64, stats.spooled);
        let in_flight = stats.pending.saturating_sub(spooled + pending);
        let outcome = Outcome { stats, pending, spooled, in_flight };
        self.flushes.into_iter().for_each(|flush| flush.reply.send(outcome));
    }

    /// Writes to disk what is not settled, if there is a spool.
    async fn save(&mut self, until: Instant) {
        while Instant::now() < until {
            self.spool(true);
            if self.spooler.writes_ahead() {
                self.take_exchanges(Instant::now());
                self.begin_aside();
                self.spool(true);
            }
            let reads = self.spooler.writes_ahead() && self.aside.is_busy();
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
            // Whatever it takes, nobody waits for it.
            drop(timeout_at(until, closing).await);
        }
    }
}
