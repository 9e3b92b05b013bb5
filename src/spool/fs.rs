//! The file system operations of the spool.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file system. Tests replace the real one with a simulated one.
pub(crate) trait Fs: Debug {
    /// A file open for appending.
    type File: Debug;
    /// A lock that is held until it is dropped or the process ends.
    type Lock: Debug;

    /// Creates one folder, accessible to this user only.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Lists all entries of a folder, without following symbolic links.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;
    /// The entry of a path or, with `follows_links`, of the link's target.
    fn stat(&self, path: &Path, follows_links: bool) -> io::Result<Entry>;
    /// Creates a file that must not exist, readable by this user only.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    fn truncate(&self, file: &mut Self::File, length: u64) -> io::Result<()>;
    fn sync(&self, file: &mut Self::File) -> io::Result<()>;
    /// Makes changes to the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Reads a file, up to the given number of bytes.
    fn read(&self, path: &Path, at_most: u64) -> io::Result<Vec<u8>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder if it is empty.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Locks a file, which must be new or must exist, according to `is_new`. Returns `None` if
    /// another process has locked it.
    fn lock(&self, path: &Path, is_new: bool) -> io::Result<Option<Self::Lock>>;
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: EntryKind,
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
    /// The owner, where the system reports one.
    pub(crate) owner: Option<u32>,
    /// All users can add entries, and rename or remove the entries of others, because the sticky
    /// bit is not set.
    pub(crate) is_open_to_all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EntryKind {
    File,
    Dir,
    /// A symbolic link, a socket and the like.
    Other,
}

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OsFs;

impl Fs for OsFs {
    type File = File;
    type Lock = File;

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            match read_entry(&entry?) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => {}
                // Removed in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn stat(&self, path: &Path, follows_links: bool) -> io::Result<Entry> {
        let metadata = if follows_links { fs::metadata(path) } else { fs::symlink_metadata(path) };
        metadata.map(|metadata| entry(String::new(), &metadata))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        private(OpenOptions::new().write(true).create_new(true)).open(path)
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn truncate(&self, file: &mut File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length)).map(|_| ())
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if cfg!(not(unix)) {
            return Ok(()); // There a folder cannot be opened.
        }
        match File::open(folder)?.sync_all() {
            // Some file systems do not support this operation.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            synced => synced,
        }
    }

    fn read(&self, path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(at_most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn lock(&self, path: &Path, is_new: bool) -> io::Result<Option<File>> {
        let file = private(OpenOptions::new().read(true).write(true).create_new(is_new)).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Returns `None` for names that the spool never uses.
fn read_entry(entry: &fs::DirEntry) -> io::Result<Option<Entry>> {
    let Ok(name) = entry.file_name().into_string() else { return Ok(None) };
    Ok(Some(self::entry(name, &entry.metadata()?)))
}

fn entry(name: String, metadata: &fs::Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => EntryKind::File,
        kind if kind.is_dir() => EntryKind::Dir,
        _ => EntryKind::Other,
    };
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    #[cfg(unix)]
    let (owner, is_open_to_all) = {
        use std::os::unix::fs::MetadataExt;
        (Some(metadata.uid()), metadata.mode() & 0o1002 == 0o002)
    };
    #[cfg(not(unix))]
    let (owner, is_open_to_all) = (None, false);
    Entry { name, kind, bytes: metadata.len(), modified, owner, is_open_to_all }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
