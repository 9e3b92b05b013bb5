//! A file system in memory that can fail in every way in which real ones do.

mod state;

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) use self::state::Faults;
use self::state::{Change, DiskState, Interruption, is_empty};
use crate::spool::fs::{Entry, Fs};

/// The file system as seen by one process.
#[derive(Clone)]
pub(crate) struct SimFs {
    state: Arc<Mutex<DiskState>>,
    process: u64,
}

#[derive(Debug)]
pub(crate) struct File(u64);

#[derive(Debug)]
pub(crate) struct Lock {
    disk: SimFs,
    inode: u64,
}

impl SimFs {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(DiskState::new(seed))), process: 0 }
    }

    /// The same file system for another process.
    pub(crate) fn process(&self) -> Self {
        let mut state = self.state();
        state.next += 1;
        let process = state.next;
        state.living.insert(process);
        Self { state: self.state.clone(), process }
    }

    /// Ends the process as SIGKILL would: its writes stay, its locks are released, and its later
    /// operations fail.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.living.remove(&self.process);
        state.release(self.process);
    }

    /// Simulates a power failure: all processes end, and unsynced changes survive at random.
    pub(crate) fn crash(&self) {
        self.state().crash();
    }

    pub(crate) fn faults(&self, set: impl FnOnce(&mut Faults)) {
        set(&mut self.state().faults);
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().faults.operations
    }

    /// Runs `happen` after the given number of this process's operations, before the next one.
    pub(crate) fn interrupt(&self, after: u64, happen: impl FnOnce() + Send + 'static) {
        let interruption = Interruption { process: self.process, left: after, happen: Box::new(happen) };
        let before = self.state().interruption.replace(interruption);
        drop(before);
    }

    /// Damages a file, on disk too.
    pub(crate) fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let number = state.now[path];
        let inode = state.inodes.get_mut(&number).unwrap();
        edit(&mut inode.data);
        inode.synced = inode.data.clone();
    }

    /// The size of the largest read.
    pub(crate) fn largest_read(&self) -> usize {
        self.state().largest_read
    }

    /// All existing paths.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.state().now.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Starts an operation, unless a fault makes it fail.
    fn begin(&self, is_write: bool) -> io::Result<MutexGuard<'_, DiskState>> {
        let interruption = self.state().interruption(self.process);
        if let Some(interruption) = interruption {
            (interruption.happen)();
        }
        let mut state = self.state();
        if !state.living.contains(&self.process) {
            return Err(io::Error::other("the process is dead"));
        }
        if is_write && state.faults.is_read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        if state.fails() { Err(io::Error::other("EIO")) } else { Ok(state) }
    }
}

impl Fs for SimFs {
    type File = File;
    type Lock = Lock;

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.begin(true)?.make(path, true).map(|_| ())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let state = self.begin(false)?;
        state.inode(folder)?;
        let inside = state.now.iter().filter(|(path, _)| path.parent() == Some(folder));
        Ok(inside.map(|(path, number)| state.entry(path, *number)).collect())
    }

    fn stat(&self, path: &Path, _: bool) -> io::Result<Entry> {
        let state = self.begin(false)?;
        let number = *state.now.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(state.entry(path, number))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.begin(true)?.make(path, false).map(File)
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let begun = self.begin(true);
        let failure = begun.as_ref().err().map(io::Error::kind);
        drop(begun);
        let mut guard = self.state();
        let state = &mut *guard;
        let mut written = bytes.len();
        if let Some(kind) = failure {
            if kind != ErrorKind::Other || !state.living.contains(&self.process) {
                return Err(kind.into());
            }
            written = state.random.usize(0..=written);
        }
        let space = state.faults.space.unwrap_or(u64::MAX);
        let fitting = written.min(usize::try_from(space).unwrap_or(usize::MAX));
        state.faults.space = state.faults.space.map(|space| space - fitting as u64);
        let inode = state.inodes.get_mut(&file.0).unwrap();
        inode.data.extend_from_slice(&bytes[..fitting]);
        match failure {
            Some(kind) => Err(kind.into()),
            None if fitting < bytes.len() => Err(ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }

    fn truncate(&self, file: &mut File, length: u64) -> io::Result<()> {
        let mut state = self.begin(true)?;
        let inode = state.inodes.get_mut(&file.0).unwrap();
        inode.data.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        let error = self.begin(true).map(drop).err();
        let mut state = self.state();
        let inode = state.inodes.get_mut(&file.0).unwrap();
        match error {
            Some(error) => {
                inode.is_poisoned = true;
                return Err(error);
            }
            None if inode.is_poisoned => {}
            None => inode.synced = inode.data.clone(),
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.begin(true)?.sync_folder(folder)
    }

    fn read(&self, path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        let mut state = self.begin(false)?;
        if state.faults.unreadable.contains(path) {
            return Err(io::Error::other("EIO"));
        }
        let data = &state.inode(path)?.data;
        let data = data[..data.len().min(usize::try_from(at_most).unwrap_or(usize::MAX))].to_vec();
        state.largest_read = state.largest_read.max(data.len());
        Ok(data)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(true)?.change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin(true)?.change(Change::Unlink(path.to_owned()))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.begin(true)?;
        if !is_empty(&state.now, path) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        state.change(Change::Unlink(path.to_owned()))
    }

    fn lock(&self, path: &Path, is_new: bool) -> io::Result<Option<Lock>> {
        let number = match is_new {
            true => self.begin(true)?.make(path, false)?,
            false => *self.begin(false)?.now.get(path).ok_or(ErrorKind::NotFound)?,
        };
        // Another process can act between the two operations.
        let mut state = self.begin(false)?;
        let inode = state.inodes.get_mut(&number).unwrap();
        if inode.locked_by.is_some() {
            return Ok(None);
        }
        inode.locked_by = Some(self.process);
        Ok(Some(Lock { disk: self.clone(), inode: number }))
    }
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFs of process {}", self.process)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        inode.locked_by.take_if(|process| *process == self.disk.process);
    }
}
