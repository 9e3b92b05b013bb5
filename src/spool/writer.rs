//! Appending: whole records, or none.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::dir::ProcessDir;
use super::fs::Fs;
use super::segment::{self, SegmentId};

/// How many names that somebody else has taken are passed over.
const ATTEMPTS: usize = 16;

/// The segment that is appended to.
#[derive(Debug)]
pub(crate) struct Writer<F> {
    pub(crate) number: u64,
    path: PathBuf,
    file: F,
    /// Where its last whole record ends.
    pub(crate) written: u64,
    /// How much of it is acknowledged.
    durable: u64,
    /// Records that are not.
    pending: usize,
    /// Records in all.
    pub(crate) records: usize,
}

/// A write that failed.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) error: io::Error,
    /// Nothing is left of it, and the segment can be appended to.
    pub(crate) is_undone: bool,
}

/// What is left of a segment whose records could not be acknowledged.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: io::Error,
    /// How much of it was acknowledged before.
    pub(crate) durable: u64,
    /// Nothing of it was, and its file could not be removed.
    pub(crate) is_left: bool,
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
                    return Ok(Self { number, path, file, written: 0, durable: 0, pending: 0, records: 0 });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    pub(crate) fn push<D: Fs<File = F>>(&mut self, disk: &D, record: &[u8]) -> Result<(), Torn> {
        let bytes = if self.written == 0 { &[&segment::header(), record].concat() } else { record };
        let length = bytes.len() as u64;
        disk.append(&mut self.file, bytes).map_err(|error| {
            let is_undone = disk.truncate(&mut self.file, self.written).is_ok();
            Torn { error, is_undone }
        })?;
        self.written += length;
        self.pending += 1;
        self.records += 1;
        Ok(())
    }

    /// Makes sure that all of it is on disk, and acknowledges it; or gives it up.
    pub(crate) fn commit<D: Fs<File = F>>(
        &mut self,
        disk: &D,
        folder: &ProcessDir<D>,
        acknowledged: &mut Vec<SegmentId>,
    ) -> Result<(), Failed> {
        let result = match self.pending {
            0 => Ok(()),
            _ => disk.sync(&mut self.file).and_then(|()| match self.durable {
                0 => disk.sync_folder(&folder.path),
                _ => Ok(()),
            }),
        };
        if let Err(error) = result {
            return Err(self.give_up(disk, error));
        }
        self.durable = self.written;
        acknowledged.extend(std::iter::repeat_n(SegmentId(self.number), self.pending));
        self.pending = 0;
        Ok(())
    }

    /// What was not acknowledged should not come back; after a sync that failed nobody knows what is on disk.
    pub(crate) fn give_up<D: Fs<File = F>>(&mut self, disk: &D, error: io::Error) -> Failed {
        let is_left = match self.durable {
            0 => disk.remove(&self.path).is_err(),
            durable => disk.truncate(&mut self.file, durable).is_err(),
        };
        Failed { error, durable: self.durable, is_left: is_left && self.durable == 0 }
    }
}
