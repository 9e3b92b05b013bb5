//! Appends records: each is written whole or not at all.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::dir::ProcessDir;
use super::fs::Fs;
use super::segment::{self, SegmentId};

/// The most names taken by others that are skipped.
const ATTEMPTS: usize = 16;

/// The segment being appended to.
#[derive(Debug)]
pub(crate) struct Writer<F> {
    pub(crate) number: u64,
    path: PathBuf,
    file: F,
    /// The end of the last whole record.
    pub(crate) written: u64,
    /// How many bytes are acknowledged.
    pub(crate) durable: u64,
    /// The number of unacknowledged records.
    pending: usize,
    /// The number of records.
    pub(crate) records: usize,
    /// A failed write left bytes behind, so the segment cannot be appended to.
    pub(crate) is_torn: bool,
}

impl<F> Writer<F> {
    pub(crate) fn begin<D: Fs<File = F>>(
        disk: &D,
        folder: &ProcessDir<D>,
        mut next: impl FnMut() -> Option<u64>,
    ) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let number = next().ok_or(ErrorKind::QuotaExceeded)?;
            let path = folder.segment(number);
            match disk.create(&path) {
                Ok(file) => {
                    let (written, durable, pending, records, is_torn) = Default::default();
                    return Ok(Self { number, path, file, written, durable, pending, records, is_torn });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    pub(crate) fn push<D: Fs<File = F>>(&mut self, disk: &D, record: &[u8]) -> io::Result<()> {
        let bytes = if self.written == 0 { &[&segment::header(), record].concat() } else { record };
        let length = bytes.len() as u64;
        disk.append(&mut self.file, bytes).inspect_err(|_| {
            self.is_torn = disk.truncate(&mut self.file, self.written).is_err();
        })?;
        self.written += length;
        self.pending += 1;
        self.records += 1;
        Ok(())
    }

    /// Syncs the segment and acknowledges its records.
    pub(crate) fn commit<D: Fs<File = F>>(
        &mut self,
        disk: &D,
        folder: &ProcessDir<D>,
        acknowledged: &mut Vec<SegmentId>,
    ) -> io::Result<()> {
        if self.pending > 0 {
            disk.sync(&mut self.file)?;
            if self.durable == 0 {
                disk.sync_folder(&folder.path)?;
            }
        }
        self.durable = self.written;
        acknowledged.extend(std::iter::repeat_n(SegmentId(self.number), self.pending));
        self.pending = 0;
        Ok(())
    }

    /// Discards the unacknowledged records, so that they are not loaded. After a failed sync the
    /// contents on disk are unknown. Returns whether a file without acknowledged records is left.
    pub(crate) fn give_up<D: Fs<File = F>>(&mut self, disk: &D) -> bool {
        if self.durable == 0 {
            return disk.remove(&self.path).is_err();
        }
        let _ = disk.truncate(&mut self.file, self.durable);
        false
    }
}
