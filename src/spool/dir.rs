//! The folders: which one is ours, and what dead processes have left in theirs.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::fs::{Entry, Fs, Kind};

/// What the folders of apps are named in.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_2a6e_53c1_4b0e_9d55_1d3c_8a77_40b2);

const LOCK: &str = "lock";

/// How many refused folders a log line names.
const MOST_NAMED: usize = 4;

/// How often somebody else may remove a folder while it is being made: when they adopt it, or close the last one beside it.
const ATTEMPTS: usize = 16;

/// The name of an app's folder. It does not give the key away.
pub(crate) fn app_folder(key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, key.as_bytes())
}

/// The folder of this process, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct ProcessDir<D: Fs> {
    pub(crate) app: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    lock: Option<D::Lock>,
    /// Whom our files belong to.
    owner: Option<u32>,
}

/// The folders of other processes.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// Their names, in an order that stays.
    pub(crate) names: Vec<String>,
    /// What is named like one and is not used, and why not: the first few.
    pub(crate) refused: Vec<String>,
    pub(crate) refusals: usize,
}

impl<D: Fs> ProcessDir<D> {
    pub(crate) fn open(disk: &D, spool: &Path, app: Uuid) -> io::Result<Self> {
        make(disk, spool)?;
        // The application chose this folder, so it may be a link or belong to another user.
        check(spool, &disk.look(spool, true)?, None)?;
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

    /// `None` if somebody adopted the folder before it was locked.
    fn attempt(disk: &D, app: &Path) -> io::Result<Option<Self>> {
        let name = Uuid::new_v4().to_string();
        let path = app.join(&name);
        make(disk, app)?;
        let above = disk.look(app, false)?;
        check(app, &above, None)?;
        disk.create_folder(&path)?;
        // What was just made tells who we are, on this file system.
        let owner = disk.look(&path, false).and_then(|own| check(app, &above, own.owner).map(|()| own.owner));
        let locked = owner.and_then(|owner| Ok((owner, Self::lock(disk, app, &path)?)));
        let (owner, lock) = locked.inspect_err(|_| {
            release(disk, &path, None);
            let _ = disk.remove_folder(app);
        })?;
        Ok(lock.map(|lock| Self { app: app.to_owned(), path, name, lock: Some(lock), owner }))
    }

    fn lock(disk: &D, app: &Path, path: &Path) -> io::Result<Option<D::Lock>> {
        let Some(lock) = disk.lock(&path.join(LOCK), true)? else { return Ok(None) };
        // Whoever adopts removes the lock while holding it: if it is there, it stays.
        if !disk.list(path)?.iter().any(|entry| entry.name == LOCK) {
            return Ok(None);
        }
        // Others may have made the folders above, and not have synced them yet.
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

    /// Removes the folder, and that of the app, if there is nothing in them.
    pub(crate) fn remove(&mut self, disk: &D) {
        release(disk, &self.path, self.lock.take());
        let _ = disk.remove_folder(&self.app);
    }

    /// The folders of other processes.
    pub(crate) fn others(&self, disk: &D) -> io::Result<Others> {
        let mut others = Others::default();
        for entry in disk.list(&self.app)? {
            if !is_process(&entry.name) || entry.name == self.name {
                continue;
            }
            match check(&self.app.join(&entry.name), &entry, self.owner) {
                Ok(()) => others.names.push(entry.name),
                Err(_) if others.refused.len() >= MOST_NAMED => others.refusals += 1,
                Err(error) => {
                    others.refused.push(error.to_string());
                    others.refusals += 1;
                }
            }
        }
        others.names.sort_unstable();
        Ok(others)
    }

    /// Takes over the segments of another folder, if its process is dead: `next` gives each a number in this one, and `moved`
    /// learns of those that have it.
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
        // The new names first: no file system may know that they went and not where to.
        if !segments.is_empty() {
            disk.sync_folder(&self.path)?;
        }
        // Not only if there were any: whoever moved them before may not have come to that.
        disk.sync_folder(&dead)?;
        if others == 0 {
            release(disk, &dead, Some(lock));
        }
        Ok(true)
    }
}

impl Others {
    /// What the log should hear.
    pub(crate) fn refusal(&self) -> Option<io::Error> {
        let more = match self.refusals - self.refused.len() {
            0 => String::new(),
            more => format!("; and so on, {more} more"),
        };
        let text = || format!("{}{more}", self.refused.join("; "));
        (self.refusals > 0).then(|| io::Error::new(ErrorKind::PermissionDenied, text()))
    }
}

/// Refuses a folder that somebody else could have put there, or could replace. The error names it.
fn check(path: &Path, entry: &Entry, owner: Option<u32>) -> io::Result<()> {
    let problem = if entry.kind != Kind::ProcessDir {
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

/// The lock of a dead process. A folder that has none is removed, if it has no segments either.
fn take_lock<D: Fs>(disk: &D, dead: &Path) -> io::Result<Option<D::Lock>> {
    let entries = disk.list(dead)?;
    let path = dead.join(LOCK);
    match entries.iter().find(|entry| entry.name == LOCK) {
        Some(entry) if entry.kind == Kind::File => disk.lock(&path, false),
        Some(_) => Err(io::Error::new(ErrorKind::PermissionDenied, format!("{path:?} is no file"))),
        None if entries.iter().any(|entry| number_of(entry).is_some()) => disk.lock(&path, true),
        None => {
            let _ = disk.remove_folder(dead);
            Ok(None)
        }
    }
}

/// The segments in a folder, in order, and how much else there is besides the lock.
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
    if entry.kind == Kind::File { digits.parse().ok() } else { None }
}

pub(crate) fn is_number(digits: &str) -> bool {
    digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn is_process(name: &str) -> bool {
    Uuid::try_parse(name).is_ok_and(|uuid| uuid.to_string() == name)
}

/// Removes a folder. The lock goes last of what is in it, and is held until it is gone.
fn release<D: Fs>(disk: &D, folder: &Path, lock: Option<D::Lock>) {
    let _ = disk.remove(&folder.join(LOCK));
    drop(lock);
    let _ = disk.remove_folder(folder);
}

/// Makes a folder, and those above it.
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

/// A folder that cannot be synced because we may not look into it, or change it, is none that we made.
fn unless_not_ours(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Ok(()),
        _ => Err(error),
    }
}
