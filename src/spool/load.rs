//! Loads segments, the oldest first.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::fs::Fs;
use super::record::SpooledItem;
use super::segment::{self, DecodedSegment};
use super::{SEGMENT_ITEMS, SegmentId, SegmentState, SegmentStore};

/// The most unreadable segments that one call skips.
const MOST_UNREADABLE: usize = 8;

/// The contents of a segment.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) segment: SegmentId,
    pub(crate) items: Vec<SpooledItem>,
    /// The number of records, or of ranges in the place of records, that could not be read.
    pub(crate) corrupt: u64,
    /// The segment comes from a dead process, so this one has never counted its items.
    pub(crate) is_foreign: bool,
}

impl<D: Fs> SegmentStore<D> {
    /// Loads the oldest segment that is not in memory. Returns `None` if there is none. If a
    /// segment cannot be read now, this returns an error and skips it until the others have been
    /// tried. An item may be loaded that had been removed or was never acknowledged: see
    /// `docs/SPOOL.md`.
    pub(crate) fn load_oldest(&mut self) -> io::Result<Option<Loaded>> {
        let (mut failures, mut failure) = (0, None);
        while failures < MOST_UNREADABLE {
            let Some(number) = self.oldest(SegmentState::Waiting) else { break };
            match self.load(number) {
                // No item of this segment was ever acknowledged. The caller handles this process's
                // own segments, because it knows how many items they had.
                Ok(DecodedSegment { items, corrupt: 0 }) if items.is_empty() && self.is_foreign(number) => {
                    let _ = self.settle(number);
                }
                Ok(DecodedSegment { items, corrupt }) => {
                    let Some(segment) = self.segments.get_mut(&number) else { break };
                    (segment.state, segment.is_corrupt) = (SegmentState::Out, corrupt > 0);
                    let is_foreign = segment.is_foreign;
                    return Ok(Some(Loaded { segment: SegmentId(number), items, corrupt, is_foreign }));
                }
                Err(error) => {
                    self.set(number, SegmentState::Unreadable);
                    (failures, failure) = (failures + 1, Some(error));
                }
            }
        }
        if self.oldest(SegmentState::Waiting).is_none() {
            while let Some(number) = self.oldest(SegmentState::Unreadable) {
                self.set(number, SegmentState::Waiting);
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn load(&mut self, number: u64) -> io::Result<DecodedSegment> {
        self.seal(SegmentId(number));
        self.read(&self.folder.segment(number)).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(DecodedSegment::unread()),
            _ => Err(error),
        })
    }

    /// Reads no more than the writer puts into a segment: up to `segment_bytes`, or a single
    /// record.
    fn read(&self, path: &Path) -> io::Result<DecodedSegment> {
        let most = self.settings.segment_bytes;
        let start = self.disk.read(path, most.saturating_add(1))?;
        if start.len() as u64 <= most {
            return Ok(segment::decode(&start, SEGMENT_ITEMS));
        }
        let Some(length) = segment::length_of_single(&start) else { return Ok(DecodedSegment::unread()) };
        drop(start);
        let bytes = self.disk.read(path, length.saturating_add(1))?;
        let is_longer = bytes.len() as u64 > length;
        Ok(if is_longer { DecodedSegment::unread() } else { segment::decode(&bytes, 1) })
    }

    fn is_foreign(&self, number: u64) -> bool {
        self.segments.get(&number).is_some_and(|segment| segment.is_foreign)
    }
}
