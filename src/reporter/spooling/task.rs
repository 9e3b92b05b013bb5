//! Disk operations: one at a time, on a thread that may block.

use std::io;

use tokio::task::JoinHandle;

use crate::spool::{Adopted, Appended, Loaded, OsFs, SegmentId, SegmentStore, SpoolSettings, SpooledItem};
use crate::unwind::guarded;

/// The most folders of other processes that one adoption examines.
const FOLDERS: usize = 8;

pub(crate) enum Task {
    /// Seals the named segment first, so that the items go to a new one.
    Write(Vec<SpooledItem>, Option<SegmentId>),
    /// Writes the items, which are on disk already, to segments of their own.
    Rewrite(Vec<SpooledItem>),
    Load,
    Remove(SegmentId),
    Adopt,
}

/// The result of a task.
pub(crate) enum Done {
    Opened(io::Result<()>),
    /// The result of a write, or of a rewrite.
    Written {
        appended: Appended,
        is_rewrite: bool,
    },
    Loaded(io::Result<Option<Loaded>>),
    Removed(io::Result<()>),
    Adopted(io::Result<Adopted>),
}

/// A running task. It returns the spool, if it is open, and the result.
pub(crate) type Running = JoinHandle<(Option<SegmentStore<OsFs>>, Done)>;

pub(crate) fn open(settings: SpoolSettings) -> Option<Running> {
    spawn(move || match SegmentStore::open(OsFs, settings) {
        Ok(spool) => (Some(spool), Done::Opened(Ok(()))),
        Err(error) => (None, Done::Opened(Err(error))),
    })
}

pub(crate) fn run(mut spool: SegmentStore<OsFs>, task: Task) -> Option<Running> {
    spawn(move || {
        let done = match task {
            Task::Write(items, sealed) => {
                if let Some(segment) = sealed {
                    spool.seal(segment);
                }
                Done::Written { appended: spool.append(&items), is_rewrite: false }
            }
            Task::Rewrite(items) => Done::Written { appended: spool.rewrite(&items), is_rewrite: true },
            Task::Load => Done::Loaded(spool.load_oldest()),
            Task::Remove(segment) => Done::Removed(spool.remove(segment)),
            Task::Adopt => {
                let tidied = spool.tidy();
                Done::Adopted(spool.adopt(FOLDERS).map(|mut adopted| {
                    adopted.error = adopted.error.or(tidied.err());
                    adopted
                }))
            }
        };
        (Some(spool), done)
    })
}

/// Returns `None` if the system refuses a thread.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<JoinHandle<T>> {
    guarded(|| tokio::task::spawn_blocking(work))
}
