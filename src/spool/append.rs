//! Appends items, and starts a new segment whenever one is full.

use std::io;

use super::fs::Fs;
use super::record::SpooledItem;
use super::writer::Writer;
use super::{SEGMENT_ITEMS, Segment, SegmentId, SegmentState, SegmentStore, next, segment};

/// The result of [`SegmentStore::append`].
#[derive(Debug, Default)]
pub(crate) struct Appended {
    /// The segments of the durable items, in order. The items after these are not durable.
    pub(crate) durable: Vec<SegmentId>,
    /// Why the remaining items were not written. No item after the one that failed was tried.
    pub(crate) stopped: Option<Stopped>,
}

#[derive(Debug)]
pub(crate) enum Stopped {
    /// The size limit is reached.
    Full,
    /// The first remaining item is too large for the size limit or for any record. It can never be
    /// stored.
    Oversized,
    Failed(io::Error),
}

impl<D: Fs> SegmentStore<D> {
    /// Writes items in order, and acknowledges them once they are synced. After an error the caller
    /// keeps the items that are not acknowledged, and later appends work as before.
    pub(crate) fn append<'a>(&mut self, items: impl IntoIterator<Item = &'a SpooledItem>) -> Appended {
        let used = self.bytes();
        self.append_beside(used, items)
    }

    /// Writes items that are already on disk to a segment of their own. The size limit does not
    /// apply, because their old segment is removed in exchange.
    pub(crate) fn rewrite<'a>(&mut self, items: impl IntoIterator<Item = &'a SpooledItem>) -> Appended {
        self.writer = None;
        let appended = self.append_beside(0, items);
        self.writer = None;
        appended
    }

    fn append_beside<'a>(
        &mut self,
        mut used: u64,
        items: impl IntoIterator<Item = &'a SpooledItem>,
    ) -> Appended {
        let mut appended = Appended::default();
        let mut record = Vec::new();
        for item in items {
            record.clear();
            let put = match item.encode(&mut record) {
                Ok(()) => self.put(&record, &mut used, &mut appended.durable),
                Err(_) => Err(Stopped::Oversized),
            };
            if let Err(stopped) = put {
                appended.stopped = Some(stopped);
                break;
            }
        }
        if let Err(error) = self.commit(&mut appended.durable) {
            appended.stopped = Some(Stopped::Failed(error));
        }
        appended
    }

    fn put(&mut self, record: &[u8], used: &mut u64, durable: &mut Vec<SegmentId>) -> Result<(), Stopped> {
        let length = record.len() as u64;
        let has_room = |writer: &Writer<_>| {
            writer.records < SEGMENT_ITEMS
                && writer.written.saturating_add(length) <= self.settings.segment_bytes
        };
        let is_new = !self.writer.as_ref().is_some_and(has_room);
        let cost = if is_new { length + segment::HEADER as u64 } else { length };
        if length + segment::HEADER as u64 > self.settings.max_bytes {
            return Err(Stopped::Oversized);
        }
        if used.saturating_add(cost) > self.settings.max_bytes {
            return Err(Stopped::Full);
        }
        if is_new {
            self.commit(durable).map_err(Stopped::Failed)?;
            self.writer = None;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let begun = Writer::begin(&self.disk, &self.folder, || next(&mut self.last));
                self.writer.insert(begun.map_err(Stopped::Failed)?)
            }
        };
        writer.push(&self.disk, record).map_err(|error| Stopped::Failed(self.recover(error, durable)))?;
        *used += cost;
        Ok(())
    }

    /// Handles a failed write: the records before it count if they can be synced.
    fn recover(&mut self, error: io::Error, durable: &mut Vec<SegmentId>) -> io::Error {
        let Some(writer) = &mut self.writer else { return error };
        if writer.written == 0 {
            return self.abandon(error);
        }
        let committed = self.commit(durable);
        self.writer.take_if(|writer| writer.is_torn);
        committed.err().unwrap_or(error)
    }

    fn commit(&mut self, durable: &mut Vec<SegmentId>) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        match writer.commit(&self.disk, &self.folder, durable) {
            Ok(()) => {
                let segment = self.segments.entry(writer.number).or_insert(Segment::new(0, false));
                segment.bytes = writer.written;
                Ok(())
            }
            Err(error) => Err(self.abandon(error)),
        }
    }

    /// Gives the segment up. A file without acknowledged records has to be removed.
    fn abandon(&mut self, error: io::Error) -> io::Error {
        let Some(mut writer) = self.writer.take() else { return error };
        if writer.give_up(&self.disk) {
            let segment = Segment { state: SegmentState::Settled, ..Segment::new(writer.written, false) };
            self.segments.insert(writer.number, segment);
        } else if let Some(segment) = self.segments.get_mut(&writer.number) {
            segment.bytes = writer.durable;
        }
        error
    }
}
