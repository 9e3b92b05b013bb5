//! Reports on disk. The format and the guarantees are in `docs/SPOOL.md`.

mod append;
mod dir;
mod fs;
mod load;
mod quarantine;
pub(crate) mod record;
pub(crate) mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use uuid::Uuid;

pub(crate) use self::append::{Appended, Stopped};
use self::dir::ProcessDir;
pub(crate) use self::dir::app_folder;
pub(crate) use self::fs::{Fs, OsFs};
pub(crate) use self::load::Loaded;
use self::quarantine::Quarantine;
pub(crate) use self::record::SpooledItem;
pub(crate) use self::segment::SegmentId;
use self::writer::Writer;

/// The maximum length of a segment with more than one record.
pub(crate) const SEGMENT_BYTES: u64 = 1024 * 1024;

/// The most items in a segment, which is loaded into memory as a whole.
pub(crate) const SEGMENT_ITEMS: usize = 512;

#[derive(Clone, Debug)]
pub(crate) struct SpoolSettings {
    pub(crate) folder: PathBuf,
    /// The app that the reports belong to: [`app_folder`].
    pub(crate) app: Uuid,
    /// The most bytes that this process may store on disk.
    pub(crate) max_bytes: u64,
    /// [`SEGMENT_BYTES`].
    pub(crate) segment_bytes: u64,
}

/// The result of [`SegmentStore::adopt`].
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    /// The number of folders of dead processes.
    pub(crate) folders: usize,
    pub(crate) segments: usize,
    /// This round has folders left to examine.
    pub(crate) has_more: bool,
    /// Why a folder could not be adopted. The next round tries again.
    pub(crate) error: Option<io::Error>,
}

/// The reports of one process on disk, including those it adopted. Every call blocks.
#[derive(Debug)]
pub(crate) struct SegmentStore<D: Fs> {
    disk: D,
    settings: SpoolSettings,
    folder: ProcessDir<D>,
    segments: BTreeMap<u64, Segment>,
    writer: Option<Writer<D::File>>,
    last: u64,
    aside: Quarantine,
    /// The folders left to examine in this adoption round, in reverse order. Empty between rounds.
    round: Vec<String>,
    /// Segments were removed, and the folder is not synced yet.
    is_dirty: bool,
}

#[derive(Debug)]
struct Segment {
    bytes: u64,
    is_foreign: bool,
    is_corrupt: bool,
    state: SegmentState,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum SegmentState {
    Waiting,
    /// Skipped until the others have been tried.
    Unreadable,
    /// In the memory of the caller.
    Out,
    /// To be removed.
    Settled,
}

impl<D: Fs> SegmentStore<D> {
    /// Creates the folders, and locks this process's own.
    pub(crate) fn open(disk: D, settings: SpoolSettings) -> io::Result<Self> {
        let spool = std::path::absolute(&settings.folder)?;
        let folder = ProcessDir::open(&disk, &spool, settings.app)?;
        let aside = Quarantine::open(&disk, &folder, settings.max_bytes);
        Ok(Self {
            disk,
            settings,
            folder,
            segments: BTreeMap::new(),
            writer: None,
            last: 0,
            aside,
            round: Vec::new(),
            is_dirty: false,
        })
    }

    /// Excludes a segment from loading while its items are in memory.
    pub(crate) fn hold(&mut self, SegmentId(number): SegmentId) {
        self.set(number, SegmentState::Out);
    }

    /// Makes a segment available for loading, possibly again.
    pub(crate) fn release(&mut self, SegmentId(number): SegmentId) {
        self.set(number, SegmentState::Waiting);
    }

    /// Removes a segment whose items are all settled, or quarantines it if it was corrupt. After an
    /// error the segment is no longer loaded, and [`tidy`](Self::tidy) tries again.
    pub(crate) fn remove(&mut self, SegmentId(number): SegmentId) -> io::Result<()> {
        if !self.segments.contains_key(&number) {
            return Ok(());
        }
        self.settle(number)?;
        self.sync_removals()
    }

    /// The path of a damaged segment in quarantine.
    pub(crate) fn aside(&self, SegmentId(number): SegmentId) -> PathBuf {
        quarantine::path(&self.folder, number)
    }

    /// Removes the segments whose removal failed before.
    pub(crate) fn tidy(&mut self) -> io::Result<()> {
        let is_settled = |(_, segment): &(&u64, &Segment)| segment.state == SegmentState::Settled;
        let settled: Vec<u64> = self.segments.iter().filter(is_settled).map(|(number, _)| *number).collect();
        let failure = settled.into_iter().filter_map(|number| self.settle(number).err()).last();
        self.sync_removals().and(failure.map_or(Ok(()), Err))
    }

    /// Examines up to `at_most` folders of other processes, and takes over the segments of dead
    /// ones.
    pub(crate) fn adopt(&mut self, at_most: usize) -> io::Result<Adopted> {
        let mut adopted = Adopted::default();
        if self.round.is_empty() {
            let others = self.folder.others(&self.disk)?;
            adopted.error = others.refusal();
            self.round = others.names;
            self.round.reverse();
        }
        for _ in 0..at_most {
            let Some(name) = self.round.pop() else { break };
            let before = self.segments.len();
            let (last, segments) = (&mut self.last, &mut self.segments);
            let result = self.folder.adopt(
                &self.disk,
                &name,
                || next(last),
                |number, entry| {
                    segments.insert(number, Segment::new(entry.bytes, true));
                },
            );
            adopted.segments += self.segments.len() - before;
            match result {
                Ok(is_dead) => adopted.folders += usize::from(is_dead),
                // Another process adopted it first.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let named = io::Error::new(error.kind(), format!("{name}: {error}"));
                    adopted.error.get_or_insert(named);
                }
            }
        }
        adopted.has_more = !self.round.is_empty();
        Ok(adopted)
    }

    /// The bytes that count towards the size limit.
    pub(crate) fn bytes(&self) -> u64 {
        self.aside.bytes + self.segments.values().map(|segment| segment.bytes).sum::<u64>()
    }

    /// Whether there are segments to load, now or later.
    pub(crate) fn has_waiting(&self) -> bool {
        self.oldest(SegmentState::Waiting).or(self.oldest(SegmentState::Unreadable)).is_some()
    }

    /// Makes later appends go to another segment.
    pub(crate) fn seal(&mut self, SegmentId(number): SegmentId) {
        self.writer.take_if(|writer| writer.number == number);
    }

    fn settle(&mut self, number: u64) -> io::Result<()> {
        self.seal(SegmentId(number));
        self.set(number, SegmentState::Settled);
        let is_corrupt = self.segments.get(&number).is_some_and(|segment| segment.is_corrupt);
        let removed = match is_corrupt {
            true => self.aside.put(&self.disk, &self.folder, number),
            false => self.disk.remove(&self.folder.segment(number)),
        };
        removed.or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        self.segments.remove(&number);
        self.is_dirty = true;
        Ok(())
    }

    fn sync_removals(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.disk.sync_folder(&self.folder.path)?;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn oldest(&self, state: SegmentState) -> Option<u64> {
        self.segments.iter().find(|(_, segment)| segment.state == state).map(|(number, _)| *number)
    }

    fn set(&mut self, number: u64, state: SegmentState) {
        if let Some(segment) =
            self.segments.get_mut(&number).filter(|segment| segment.state != SegmentState::Settled)
        {
            segment.state = state;
        }
    }
}

impl<D: Fs> Drop for SegmentStore<D> {
    fn drop(&mut self) {
        self.writer = None;
        let _ = self.tidy();
        if self.segments.is_empty() {
            self.folder.remove(&self.disk);
        }
    }
}

impl Segment {
    fn new(bytes: u64, is_foreign: bool) -> Self {
        Self { bytes, is_foreign, is_corrupt: false, state: SegmentState::Waiting }
    }
}

/// The next number; `None` once the numbers are exhausted.
fn next(last: &mut u64) -> Option<u64> {
    *last = last.checked_add(1)?;
    Some(*last)
}
