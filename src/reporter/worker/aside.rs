//! Work that the worker leaves to other threads: reading large bodies and calling the application's
//! hooks.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::prepare::{self, Prepared};
use crate::budget::Reservation;
use crate::config::ReportOptions;
use crate::handoff::QueueItem;
use crate::interaction::Interaction;
use crate::translation::Effort;
use crate::unwind::guarded;

/// How many hooks run at once, each on its own thread.
const MAX_HOOKS: usize = 2;

/// The minimum size that an item in the queue counts as. It limits the length of a queue of small
/// bodies, each of which may take 100 milliseconds.
const LEAST_WAITING: usize = 128 * 1024;

/// Items that are prepared on other threads. Each thread comes from the runtime's pool and is
/// returned after one item.
pub(crate) struct Aside {
    reporting: Arc<ReportOptions>,
    /// The most bytes that may wait to be read.
    room: usize,
    /// Items that take long to read, in order of arrival. They are read one at a time.
    waiting: VecDeque<(u64, QueueItem, usize)>,
    waiting_bytes: usize,
    reading: JoinSet<(u64, Prepared)>,
    /// An interaction that was read aside and waits for a thread for its hooks.
    read: Option<(u64, Reservation, Box<Interaction>)>,
    hooks: JoinSet<(u64, Prepared)>,
}

/// The system refused a thread. The item is lost, and is counted when it is dropped.
pub(crate) struct NoThread;

impl Aside {
    pub(crate) fn new(reporting: Arc<ReportOptions>, room: usize) -> Self {
        Self {
            reporting,
            room,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            reading: JoinSet::new(),
            read: None,
            hooks: JoinSet::new(),
        }
    }

    /// The number of items that are queued or in progress.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.reading.len() + usize::from(self.read.is_some()) + self.hooks.len()
    }

    /// Whether another interaction may be made whose hooks have to be called.
    pub(crate) fn has_room(&self) -> bool {
        self.hooks.len() < MAX_HOOKS && self.read.is_none()
    }

    /// Queues an item to be read. Returns it if too many bytes are waiting already: slow bodies may
    /// not fill the budget.
    #[expect(clippy::result_large_err, reason = "it is given back, and used where it is returned")]
    pub(crate) fn wait(&mut self, id: u64, mut item: QueueItem) -> Result<(), QueueItem> {
        let bytes = prepare::size(&item).max(LEAST_WAITING);
        if !self.waiting.is_empty() && self.waiting_bytes + bytes > self.room {
            return Err(item);
        }
        if let QueueItem::Exchange(exchange) = &mut item {
            // The item may wait for long and should not keep its connection's read buffer alive.
            exchange.compact();
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back((id, item, bytes));
        Ok(())
    }

    /// Starts reading the next item, unless one is being read. Reading may take much memory, so
    /// there is only one at a time.
    pub(crate) fn read_next(&mut self) -> Option<(u64, NoThread)> {
        if !self.reading.is_empty() || self.read.is_some() {
            return None;
        }
        let (id, item, bytes) = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes;
        let reporting = Arc::clone(&self.reporting);
        let read = move || prepare::job(id, item, &reporting, Effort::Full);
        spawn(&mut self.reading, id, read).err().map(|error| (id, error))
    }

    /// Calls the hooks for an interaction.
    pub(crate) fn ask(
        &mut self,
        id: u64,
        reservation: Reservation,
        interaction: Box<Interaction>,
    ) -> Result<(), NoThread> {
        if !self.has_room() {
            // Only an interaction that was read aside gets here, and there is at most one.
            self.read = Some((id, reservation, interaction));
            return Ok(());
        }
        let reporting = Arc::clone(&self.reporting);
        let write = move || Prepared::Done(prepare::write(id, reservation, interaction, &reporting));
        spawn(&mut self.hooks, id, write)
    }

    /// Waits for the next item to finish. Pending while no item is in progress.
    ///
    /// # Cancel safety
    ///
    /// No items are lost.
    pub(crate) async fn next(&mut self) -> (u64, Prepared) {
        tokio::select! {
            Some(Ok(read)) = self.reading.join_next() => read,
            Some(Ok(written)) = self.hooks.join_next() => written,
            else => std::future::pending().await,
        }
    }

    /// Returns an item that has already finished, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<(u64, Prepared)> {
        let read = self.reading.try_join_next().and_then(Result::ok);
        read.or_else(|| self.hooks.try_join_next()?.ok())
    }

    /// Takes the interaction that waits for its hooks, if a thread is free.
    pub(crate) fn take_read(&mut self) -> Option<(u64, Reservation, Box<Interaction>)> {
        if self.hooks.len() < MAX_HOOKS { self.read.take() } else { None }
    }

    /// Drops the items that have not started.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.read = None;
    }
}

/// Starts work that cannot fail: the worker has to hear of every id again. Spawning panics if the
/// system refuses a thread.
fn spawn(
    tasks: &mut JoinSet<(u64, Prepared)>,
    id: u64,
    work: impl FnOnce() -> Prepared + Send + 'static,
) -> Result<(), NoThread> {
    let work = move || (id, guarded(work).unwrap_or(Prepared::Lost));
    guarded(|| tasks.spawn_blocking(work)).map(drop).ok_or(NoThread)
}

#[cfg(test)]
mod tests;
