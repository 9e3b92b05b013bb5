//! Segments with unreadable records, kept for inspection by a human.

use std::io;
use std::path::{Path, PathBuf};

use super::dir::{ProcessDir, is_number, is_process};
use super::fs::{Entry, EntryKind, Fs};

/// The most segments kept per app.
const MOST: usize = 16;

const SUFFIX: &str = ".seg.corrupt";

/// The quarantined segments, which lie beside the folders of an app's processes.
#[derive(Debug)]
pub(crate) struct Quarantine {
    /// The most bytes in quarantine.
    limit: u64,
    pub(crate) bytes: u64,
}

impl Quarantine {
    /// Reads the size of the quarantine. An error here must not stop the spool.
    pub(crate) fn open<D: Fs>(disk: &D, folder: &ProcessDir<D>, cap: u64) -> Self {
        let mut aside = Self { limit: cap / 4, bytes: 0 };
        let _ = aside.trim(disk, &folder.app);
        aside
    }

    pub(crate) fn put<D: Fs>(&mut self, disk: &D, folder: &ProcessDir<D>, number: u64) -> io::Result<()> {
        disk.rename(&folder.segment(number), &path(folder, number))?;
        let _ = self.trim(disk, &folder.app);
        disk.sync_folder(&folder.app)
    }

    /// Removes the oldest segments beyond the limits.
    fn trim<D: Fs>(&mut self, disk: &D, app: &Path) -> io::Result<()> {
        let mut files = disk.list(app)?;
        files.retain(|entry| entry.kind == EntryKind::File && is_ours(&entry.name));
        files.sort_unstable_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
        // A segment larger than the limit is removed without displacing others.
        let is_too_large = |entry: &Entry| entry.bytes > self.limit;
        let (mut total, mut kept, mut left) = (0, 0, 0);
        for entry in &files {
            total += if is_too_large(entry) { 0 } else { entry.bytes };
            let is_too_much = is_too_large(entry) || kept >= MOST || total > self.limit;
            if is_too_much && disk.remove(&app.join(&entry.name)).is_ok() {
                continue;
            }
            (kept, left) = (kept + 1, left + entry.bytes);
        }
        self.bytes = left;
        Ok(())
    }
}

/// The path of a segment in quarantine.
pub(crate) fn path<D: Fs>(folder: &ProcessDir<D>, number: u64) -> PathBuf {
    folder.app.join(format!("{}-{number:020}{SUFFIX}", folder.name))
}

/// Whether the name consists of a process and a number.
fn is_ours(name: &str) -> bool {
    let parts = name.strip_suffix(SUFFIX).and_then(|name| name.rsplit_once('-'));
    parts.is_some_and(|(process, digits)| is_process(process) && is_number(digits))
}
