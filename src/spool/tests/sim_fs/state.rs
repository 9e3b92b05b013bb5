//! The simulated disk: what is durable, what processes see, and what is not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fastrand::Rng;

use crate::spool::fs::{Entry, EntryKind};

pub(crate) struct DiskState {
    pub(crate) random: Rng,
    /// The names that processes see, and those on disk.
    pub(crate) now: Names,
    pub(crate) durable: Names,
    /// Changes to names that are not on disk, in order.
    pub(crate) pending: Vec<Change>,
    pub(crate) inodes: BTreeMap<u64, Inode>,
    pub(crate) next: u64,
    pub(crate) living: BTreeSet<u64>,
    pub(crate) faults: Faults,
    pub(crate) interruption: Option<Interruption>,
    pub(crate) largest_read: usize,
}

/// An event between two operations of a process.
pub(crate) struct Interruption {
    pub(crate) process: u64,
    /// The operations before it.
    pub(crate) left: u64,
    pub(crate) happen: Box<dyn FnOnce() + Send>,
}

type Names = BTreeMap<PathBuf, u64>;

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
pub(crate) struct Inode {
    pub(crate) is_folder: bool,
    pub(crate) data: Vec<u8>,
    pub(crate) synced: Vec<u8>,
    /// A sync has failed. The system has discarded the data, and later syncs succeed without any
    /// effect.
    pub(crate) is_poisoned: bool,
    pub(crate) locked_by: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Operations until one fails.
    pub(crate) fail_in: Option<u64>,
    /// Operations until all fail.
    pub(crate) dead_in: Option<u64>,
    /// One operation in this number fails.
    pub(crate) one_in: Option<u64>,
    pub(crate) is_read_only: bool,
    /// The free space.
    pub(crate) space: Option<u64>,
    /// Files that cannot be read.
    pub(crate) unreadable: BTreeSet<PathBuf>,
    /// Files and folders of another user.
    pub(crate) strangers: BTreeSet<PathBuf>,
    pub(crate) operations: u64,
}

impl DiskState {
    pub(crate) fn new(seed: u64) -> Self {
        let root = Inode { is_folder: true, ..Inode::default() };
        let names = Names::from([(PathBuf::from("/"), 0)]);
        Self {
            random: Rng::with_seed(seed),
            now: names.clone(),
            durable: names,
            pending: Vec::new(),
            inodes: BTreeMap::from([(0, root)]),
            next: 1,
            living: BTreeSet::from([0]),
            faults: Faults::default(),
            interruption: None,
            largest_read: 0,
        }
    }

    /// Counts an operation. Returns whether it fails.
    pub(crate) fn fails(&mut self) -> bool {
        let faults = &mut self.faults;
        faults.operations += 1;
        if let Some(left) = &mut faults.dead_in {
            *left = left.saturating_sub(1);
            return *left == 0;
        }
        match &mut faults.fail_in {
            Some(0) => faults.fail_in.take().is_some(),
            Some(left) => {
                *left -= 1;
                false
            }
            None => faults.one_in.is_some_and(|one| self.random.u64(0..one) == 0),
        }
    }

    /// The event due before the next operation.
    pub(crate) fn interruption(&mut self, process: u64) -> Option<Interruption> {
        let interruption = self.interruption.as_mut().filter(|it| it.process == process)?;
        match interruption.left.checked_sub(1) {
            Some(left) => interruption.left = left,
            None => return self.interruption.take(),
        }
        None
    }

    /// Simulates a power failure.
    pub(crate) fn crash(&mut self) {
        for process in std::mem::take(&mut self.living) {
            self.release(process);
        }
        for change in std::mem::take(&mut self.pending) {
            if self.random.bool() {
                apply(&mut self.durable, &change);
            }
        }
        self.now = self.durable.clone();
        for inode in self.inodes.values_mut() {
            inode.data = torn(inode, &mut self.random);
            inode.synced = inode.data.clone();
            inode.is_poisoned = false;
        }
    }

    pub(crate) fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.inode(folder)?;
        let inside = |path: &Path| path.parent() == Some(folder);
        let (mut here, mut others) = (Vec::new(), Vec::new());
        // From the newest change on: a synced name includes the changes that led to it from the
        // file's earlier names.
        let mut origins = BTreeSet::new();
        for change in std::mem::take(&mut self.pending).into_iter().rev() {
            let is_here = match &change {
                Change::Link(path, _) => inside(path) || origins.contains(path),
                Change::Unlink(path) => inside(path),
                Change::Rename(from, to) => inside(from) || inside(to) || origins.contains(to),
            };
            if let (true, Change::Rename(from, _)) = (is_here, &change) {
                origins.insert(from.clone());
            }
            if is_here { here.push(change) } else { others.push(change) }
        }
        here.iter().rev().for_each(|change| apply(&mut self.durable, change));
        self.pending = others.into_iter().rev().collect();
        Ok(())
    }

    pub(crate) fn entry(&self, path: &Path, number: u64) -> Entry {
        let inode = &self.inodes[&number];
        let name = path.file_name().map(|name| name.to_str().unwrap().to_owned());
        Entry {
            name: name.unwrap_or_default(),
            kind: if inode.is_folder { EntryKind::Dir } else { EntryKind::File },
            bytes: inode.data.len() as u64,
            modified: UNIX_EPOCH + Duration::from_secs(number),
            owner: Some(u32::from(self.faults.strangers.contains(path))),
            is_open_to_all: false,
        }
    }

    pub(crate) fn inode(&self, path: &Path) -> io::Result<&Inode> {
        let number = self.now.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(&self.inodes[number])
    }

    pub(crate) fn make(&mut self, path: &Path, is_folder: bool) -> io::Result<u64> {
        if self.now.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.inode(path.parent().unwrap())?;
        self.next += 1;
        let inode = Inode { is_folder, ..Inode::default() };
        self.inodes.insert(self.next, inode);
        self.change(Change::Link(path.to_owned(), self.next))?;
        Ok(self.next)
    }

    pub(crate) fn change(&mut self, change: Change) -> io::Result<()> {
        if let Change::Unlink(path) | Change::Rename(path, _) = &change {
            self.inode(path)?;
        }
        apply(&mut self.now, &change);
        self.pending.push(change);
        Ok(())
    }

    pub(crate) fn release(&mut self, process: u64) {
        for inode in self.inodes.values_mut() {
            inode.locked_by.take_if(|by| *by == process);
        }
    }
}

/// Applies a change to the names, unless a change it depends on was lost.
fn apply(names: &mut Names, change: &Change) {
    let has_parent =
        |names: &Names, path: &Path| path.parent().is_some_and(|parent| names.contains_key(parent));
    match change {
        Change::Link(path, inode) if has_parent(names, path) => {
            names.insert(path.clone(), *inode);
        }
        // Entries whose move out of the folder is not on disk yet are lost with it.
        Change::Unlink(path) => names.retain(|name, _| !name.starts_with(path)),
        Change::Rename(from, to) if has_parent(names, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        _ => {}
    }
}

pub(crate) fn is_empty(names: &Names, folder: &Path) -> bool {
    !names.keys().any(|path| path.parent() == Some(folder))
}

/// The contents of a file after a crash: the prefix that the current and the synced data share, and
/// a part of the rest, with holes.
fn torn(inode: &Inode, random: &mut Rng) -> Vec<u8> {
    let common = inode.data.iter().zip(&inode.synced).take_while(|(a, b)| a == b).count();
    let rest = if random.bool() { &inode.data[common..] } else { &inode.synced[common..] };
    let mut rest = rest[..random.usize(0..=rest.len())].to_vec();
    if !rest.is_empty() && random.bool() {
        let start = random.usize(0..rest.len());
        let end = random.usize(start..=rest.len());
        let garbage = random.bool();
        rest[start..end].fill_with(|| if garbage { random.u8(..) } else { 0 });
    }
    [&inode.data[..common], &rest].concat()
}
