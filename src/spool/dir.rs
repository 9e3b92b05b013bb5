//! Folders: this process's own, and those of dead processes.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::fs::{Entry, EntryKind, Fs};

/// The UUID namespace of the folder names of apps.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_2a6e_53c1_4b0e_9d55_1d3c_8a77_40b2);

const LOCK: &str = "lock";

/// The most refused folders that a log line names.
const MOST_NAMED: usize = 4;

/// How many times creation retries when another process removes the folder, either by adopting it
/// or by closing the last folder beside it.
const ATTEMPTS: usize = 16;

/// The name of an app's folder. It does not reveal the key.
pub(crate) fn app_folder(key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, key.as_bytes())
}

/// The folder of this process, locked for the lifetime of this value.
#[derive(Debug)]
pub(crate) struct ProcessDir<D: Fs> {
    pub(crate) app: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    lock: Option<D::Lock>,
    /// The owner of this process's files.
    owner: Option<u32>,
}

/// The folders of other processes.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// Their names, in a stable order.
    pub(crate) names: Vec<String>,
    /// The folders that are named like a process's folder but not used, with the reasons.
    refused: Vec<String>,
    /// How many more there are.
    more: usize,
}

impl<D: Fs> ProcessDir<D> {
    pub(crate) fn open(disk: &D, spool: &Path, app: Uuid) -> io::Result<Self> {
        make(disk, spool)?;
        // The application chose this folder, so it may be a link or belong to another user.
        check(spool, &disk.stat(spool, true)?, None)?;
        let app = spool.join(app.to_string());
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            match Self::attempt(disk, &app) {
                Ok(Some(folder)) => return Ok(folder),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| ErrorKind::ResourceBusy.into()))
    }

    /// Returns `None` if another process adopted the folder before it was locked.
    fn attempt(disk: &D, app: &Path) -> io::Result<Option<Self>> {
        let name = Uuid::new_v4().to_string();
        let path = app.join(&name);
        make(disk, app)?;
        let above = disk.stat(app, false)?;
        check(app, &above, None)?;
        disk.create_folder(&path)?;
        // The owner of the new folder is this process's user, as this file system sees it.
        let owner = disk.stat(&path, false).and_then(|own| check(app, &above, own.owner).map(|()| own.owner));
        let locked = owner.and_then(|owner| Ok((owner, Self::lock(disk, app, &path)?)));
        let (owner, lock) = locked.inspect_err(|_| {
            release(disk, &path, None);
            let _ = disk.remove_folder(app);
        })?;
        Ok(lock.map(|lock| Self { app: app.to_owned(), path, name, lock: Some(lock), owner }))
    }

    fn lock(disk: &D, app: &Path, path: &Path) -> io::Result<Option<D::Lock>> {
        let Some(lock) = disk.lock(&path.join(LOCK), true)? else { return Ok(None) };
        // An adopter removes the lock file while it holds the lock. If the file is still there now,
        // it stays.
        if !disk.list(path)?.iter().any(|entry| entry.name == LOCK) {
            return Ok(None);
        }
        // Another process may have created the parent folders without having synced them yet.
        let mut above: Vec<_> = app.ancestors().skip(1).collect();
        while let Some(folder) = above.pop() {
            disk.sync_folder(folder).or_else(unless_not_ours)?;
        }
        disk.sync_folder(app)?;
        Ok(Some(lock))
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:020}.seg"))
    }

    /// Removes the folder if it is empty, and then the app's folder if that is empty.
    pub(crate) fn remove(&mut self, disk: &D) {
        release(disk, &self.path, self.lock.take());
        let _ = disk.remove_folder(&self.app);
    }

    /// Lists the folders of other processes.
    pub(crate) fn others(&self, disk: &D) -> io::Result<Others> {
        let mut others = Others::default();
        for entry in disk.list(&self.app)? {
            if !is_process(&entry.name) || entry.name == self.name {
                continue;
            }
            match check(&self.app.join(&entry.name), &entry, self.owner) {
                Ok(()) => others.names.push(entry.name),
                Err(error) if others.refused.len() < MOST_NAMED => others.refused.push(error.to_string()),
                Err(_) => others.more += 1,
            }
        }
        others.names.sort_unstable();
        Ok(others)
    }

    /// Takes over the segments of another folder, if its process is dead. `next` assigns a number
    /// in this folder to each segment; `moved` is called for each segment that was moved.
    pub(crate) fn adopt(
        &self,
        disk: &D,
        name: &str,
        mut next: impl FnMut() -> Option<u64>,
        mut moved: impl FnMut(u64, &Entry),
    ) -> io::Result<bool> {
        let dead = self.app.join(name);
        let Some(lock) = take_lock(disk, &dead)? else { return Ok(false) };
        let (segments, others) = contents(disk, &dead)?;
        for (_, entry) in &segments {
            let number = next().ok_or(ErrorKind::QuotaExceeded)?;
            disk.rename(&dead.join(&entry.name), &self.segment(number))?;
            moved(number, entry);
        }
        // Sync the new names first: a crash must not leave a segment without a name in either
        // folder.
        if !segments.is_empty() {
            disk.sync_folder(&self.path)?;
        }
        // Sync even without segments: the process that moved them may have ended before its own
        // sync.
        disk.sync_folder(&dead)?;
        if others == 0 {
            release(disk, &dead, Some(lock));
        }
        Ok(true)
    }
}

impl Others {
    /// The refusals as an error for the log.
    pub(crate) fn refusal(&self) -> Option<io::Error> {
        let mut text = (!self.refused.is_empty()).then(|| self.refused.join("; "))?;
        if self.more > 0 {
            text += &format!("; and so on, {} more", self.more);
        }
        Some(io::Error::new(ErrorKind::PermissionDenied, text))
    }
}

/// Refuses a folder that another user could have put there or could replace. The error names it.
fn check(path: &Path, entry: &Entry, owner: Option<u32>) -> io::Result<()> {
    let problem = if entry.kind != EntryKind::Dir {
        "is not used: it is a symbolic link, or no folder"
    } else if owner.is_some() && entry.owner != owner {
        "is not used: it belongs to another user"
    } else if entry.is_open_to_all {
        "is not used: everybody can change what is in it (`chmod o-w` ends that)"
    } else {
        return Ok(());
    };
    Err(io::Error::new(ErrorKind::PermissionDenied, format!("{path:?} {problem}")))
}

/// Locks the folder of a dead process. A folder without a lock file and without segments is
/// removed.
fn take_lock<D: Fs>(disk: &D, dead: &Path) -> io::Result<Option<D::Lock>> {
    let entries = disk.list(dead)?;
    let path = dead.join(LOCK);
    match entries.iter().find(|entry| entry.name == LOCK) {
        Some(entry) if entry.kind == EntryKind::File => disk.lock(&path, false),
        Some(_) => Err(io::Error::new(ErrorKind::PermissionDenied, format!("{path:?} is no file"))),
        None if entries.iter().any(|entry| number_of(entry).is_some()) => disk.lock(&path, true),
        None => {
            let _ = disk.remove_folder(dead);
            Ok(None)
        }
    }
}

/// The segments in a folder, in order, and the number of other entries besides the lock.
fn contents<D: Fs>(disk: &D, folder: &Path) -> io::Result<(Vec<(u64, Entry)>, usize)> {
    let entries = disk.list(folder)?;
    let count = entries.iter().filter(|entry| entry.name != LOCK).count();
    let mut segments: Vec<_> =
        entries.into_iter().filter_map(|entry| Some((number_of(&entry)?, entry))).collect();
    segments.sort_unstable_by_key(|(number, _)| *number);
    let others = count - segments.len();
    Ok((segments, others))
}

fn number_of(entry: &Entry) -> Option<u64> {
    let digits = entry.name.strip_suffix(".seg").filter(|digits| is_number(digits))?;
    if entry.kind == EntryKind::File { digits.parse().ok() } else { None }
}

pub(crate) fn is_number(digits: &str) -> bool {
    digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn is_process(name: &str) -> bool {
    Uuid::try_parse(name).is_ok_and(|uuid| uuid.to_string() == name)
}

/// Removes a folder. The lock file is removed last, and stays locked until then.
fn release<D: Fs>(disk: &D, folder: &Path, lock: Option<D::Lock>) {
    let _ = disk.remove(&folder.join(LOCK));
    drop(lock);
    let _ = disk.remove_folder(folder);
}

/// Creates a folder and its parents.
fn make<D: Fs>(disk: &D, path: &Path) -> io::Result<()> {
    let made = match disk.create_folder(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(disk, path.parent().ok_or(error)?)?;
            disk.create_folder(path)
        }
        made => made,
    };
    made.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}

/// Ignores the failed sync of a folder that this process may not read or change: it did not create
/// that folder.
fn unless_not_ours(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Ok(()),
        _ => Err(error),
    }
}
