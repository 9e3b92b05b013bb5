//! What the worker does not do on its own thread: reading what takes long, and asking the application's hooks.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::prepare::{self, Prepared, Unmade};
use crate::budget::Reservation;
use crate::config::ReportOptions;
use crate::delivery::job::Job;
use crate::handoff::Item;
use crate::interaction::Interaction;
use crate::translation::Effort;

/// How many hooks run at once, each on a thread of its own.
const MAX_HOOKS: usize = 2;

/// What waits to be read counts as no less than this, so that a few kilobytes each do not make a long queue: each may take 100
/// milliseconds.
const LEAST_WAITING: usize = 128 * 1024;

/// Items that are prepared on other threads. Each thread is the runtime's, and is given back after one item.
pub(crate) struct Aside {
    reporting: Arc<ReportOptions>,
    /// How many bytes may wait to be read.
    room: usize,
    /// Items that take long to read, in the order in which they came. One at a time is read.
    waiting: VecDeque<(u64, Item, usize)>,
    waiting_bytes: usize,
    reading: JoinSet<(u64, Prepared)>,
    /// An interaction that was read aside, and waits for a thread for its hooks.
    read: Option<(u64, Reservation, Box<Interaction>)>,
    hooks: JoinSet<(u64, Result<Job, Unmade>)>,
    ids: HashSet<u64>,
}

/// No thread could be had. What was to be done on it is lost, and counted as it is dropped.
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
            ids: HashSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.ids.iter().copied()
    }

    /// Whether another interaction may be made for which hooks are to be asked.
    pub(crate) fn has_room(&self) -> bool {
        self.hooks.len() < MAX_HOOKS && self.read.is_none()
    }

    /// Has an item wait for its turn to be read. Gives it back if too much is waiting already: senders of bodies that take long
    /// may not fill the budget with them.
    #[expect(clippy::result_large_err, reason = "it is given back, and used where it is returned")]
    pub(crate) fn wait(&mut self, id: u64, mut item: Item) -> Result<(), Item> {
        let bytes = prepare::size(&item).max(LEAST_WAITING);
        if !self.waiting.is_empty() && self.waiting_bytes + bytes > self.room {
            return Err(item);
        }
        if let Item::Exchange(exchange) = &mut item {
            // It may wait for long, and is not to keep the read buffer of its connection.
            exchange.compact();
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back((id, item, bytes));
        self.ids.insert(id);
        Ok(())
    }

    /// Begins to read the next item, if none is being read. One at a time: reading may take much memory.
    pub(crate) fn read_next(&mut self) -> Option<(u64, NoThread)> {
        if !self.reading.is_empty() || self.read.is_some() {
            return None;
        }
        let (id, item, bytes) = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes;
        let reporting = Arc::clone(&self.reporting);
        let read = move || (id, prepare::job(id, item, &reporting, Effort::Full));
        spawn(&mut self.reading, read).err().map(|error| {
            self.ids.remove(&id);
            (id, error)
        })
    }

    /// Asks the hooks about an interaction.
    pub(crate) fn ask(
        &mut self,
        id: u64,
        reservation: Reservation,
        interaction: Box<Interaction>,
    ) -> Result<(), NoThread> {
        if !self.has_room() {
            // It was read aside, and is the only one.
            self.read = Some((id, reservation, interaction));
            self.ids.insert(id);
            return Ok(());
        }
        let reporting = Arc::clone(&self.reporting);
        let write = move || (id, prepare::write(id, reservation, interaction, &reporting));
        spawn(&mut self.hooks, write)?;
        self.ids.insert(id);
        Ok(())
    }

    /// What ends next. Pending while nothing is under way.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> (u64, Prepared) {
        let (id, prepared) = tokio::select! {
            Some(Ok(read)) = self.reading.join_next() => read,
            Some(Ok((id, result))) = self.hooks.join_next() => (id, Prepared::Done(result)),
            else => std::future::pending().await,
        };
        self.ids.remove(&id);
        (id, prepared)
    }

    /// What has ended already.
    pub(crate) fn try_next(&mut self) -> Option<(u64, Prepared)> {
        let read = self.reading.try_join_next().and_then(Result::ok);
        let (id, prepared) = match read {
            Some(read) => read,
            None => {
                let (id, result) = self.hooks.try_join_next()?.ok()?;
                (id, Prepared::Done(result))
            }
        };
        self.ids.remove(&id);
        Some((id, prepared))
    }

    /// Whether something is under way that will end.
    pub(crate) fn is_busy(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Takes the interaction that waits for a thread, if there is one now.
    pub(crate) fn take_read(&mut self) -> Option<(u64, Reservation, Box<Interaction>)> {
        if self.hooks.len() < MAX_HOOKS { self.read.take() } else { None }
    }

    /// Drops what has not begun.
    pub(crate) fn clear(&mut self) {
        for (id, ..) in self.waiting.drain(..) {
            self.ids.remove(&id);
        }
        if let Some((id, ..)) = self.read.take() {
            self.ids.remove(&id);
        }
    }
}

/// It panics where the system gives no thread.
fn spawn<T: Send + 'static>(
    tasks: &mut JoinSet<T>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(), NoThread> {
    let spawned = catch_unwind(AssertUnwindSafe(|| tasks.spawn_blocking(work)));
    spawned.map(drop).map_err(|_| NoThread)
}

#[cfg(test)]
mod tests;
