//! A store in a file of SQLite. Summaries are in memory, as with any store; the file has everything.

mod file;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use tokio::sync::oneshot;

use self::file::{connect, is_database, load, lock, prepare};
use self::writer::{Action, Command, Done, Writer};
use super::catalog::Catalog;
use super::record::{Capacity, NewReport, Refusal, Stored, Summary};
use super::{Appended, Compare, Store, StoreError, Words, Writing};

/// Keeps reports in a file.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    reader: Mutex<Connection>,
    commands: Option<Sender<Command>>,
    writer: Option<JoinHandle<()>>,
    /// Locked while the file is in use.
    _lock: File,
}

#[derive(Debug, Default)]
struct Shared {
    catalog: RwLock<Catalog>,
    trouble: Mutex<Option<String>>,
}

fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.display();
    StoreError(match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!("{path} is full, or its disk is: {error}"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{path} is locked by another program: {error}")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("{path} is damaged, and was not changed: move it away, or name another file ({error})")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("{path} cannot be written: {error}")
        }
        _ => format!("{path}: {error}"),
    })
}

impl SqliteStore {
    /// Opens a file, or creates it.
    ///
    /// # Errors
    ///
    /// If the file is in use, damaged, of another program or of another version. It is then unchanged.
    pub fn open(path: impl AsRef<Path>, capacity: Capacity) -> Result<Self, StoreError> {
        Self::open_limited(path, capacity, None)
    }

    /// The same, with a limit to the pages of the file, 4 KiB each. Reports are refused once it is reached.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_limited(
        path: impl AsRef<Path>,
        capacity: Capacity,
        pages: Option<u32>,
    ) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let lock = lock(path)?;
        is_database(path)?;
        let explained = |error: rusqlite::Error| explain(path, &error);
        let mut writing = connect(path).map_err(explained)?;
        prepare(path, &mut writing)?;
        if let Some(pages) = pages {
            writing.pragma_update(None, "max_page_count", pages).map_err(explained)?;
        }
        let catalog = load(&writing).map_err(explained)?;
        let reader = connect(path).map_err(explained)?;
        let shared = Arc::new(Shared { catalog: RwLock::new(catalog), trouble: Mutex::default() });
        let (commands, receiver) = channel();
        let writer =
            Writer { path: path.to_owned(), connection: writing, capacity, shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name("collector-writer".to_owned())
            .spawn(move || writer.run(&receiver));
        let thread = thread.map_err(|error| StoreError(format!("no thread can be started: {error}")))?;
        Ok(Self {
            shared,
            reader: Mutex::new(reader),
            commands: Some(commands),
            writer: Some(thread),
            _lock: lock,
        })
    }

    fn send<T: Send + 'static>(&self, action: Action, read: fn(Done) -> Option<T>) -> Writing<T> {
        let (reply, receiver) = oneshot::channel();
        let sent =
            self.commands.as_ref().is_some_and(|commands| commands.send(Command { action, reply }).is_ok());
        Box::pin(async move {
            let gone = || StoreError("the store is closed".to_owned());
            let done = if sent { receiver.await.map_err(|_| gone())?? } else { return Err(gone()) };
            read(done).ok_or_else(gone)
        })
    }

    fn count(&self, action: Action) -> Writing<u64> {
        self.send(action, |done| if let Done::Count(count) = done { Some(count) } else { None })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn summary(&self, id: u64) -> Option<Arc<Summary>> {
        self.catalog().get(id).cloned()
    }
}

/// Ends the writer, which commits what it was given.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn from_json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> rusqlite::Result<T> {
    let unreadable =
        |error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error));
    serde_json::from_str(text).map_err(unreadable)
}

fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Shared {
    fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn append(&self, report: NewReport, compare: Compare) -> Writing<Appended> {
        let action = Action::Append(Box::new(report), compare);
        self.send(action, |done| if let Done::Appended(appended) = done { Some(appended) } else { None })
    }

    fn refuse(&self, refusal: Refusal) -> Writing<u64> {
        self.count(Action::Refuse(Box::new(refusal)))
    }

    fn remove(&self, ids: Vec<u64>) -> Writing<u64> {
        self.count(Action::Remove(ids))
    }

    fn forgive(&self) -> Writing<u64> {
        self.count(Action::Forgive)
    }

    fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.shared.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, id: u64) -> Result<Option<Stored>, StoreError> {
        let Some(summary) = self.summary(id) else { return Ok(None) };
        let reader = self.reader();
        let read = || {
            let mut statement = reader.prepare_cached("SELECT raw, attempts FROM reports WHERE id = ?1")?;
            let row = |row: &rusqlite::Row<'_>| {
                let raw = Arc::from(row.get_ref(0)?.as_str()?);
                Ok(Stored { summary, raw, attempts: from_json(row.get_ref(1)?.as_str()?)? })
            };
            statement.query_row([signed(id)], row).optional()
        };
        read().map_err(|error| StoreError(format!("the store cannot be read: {error}")))
    }

    fn search(&self, ids: &[u64], words: &Words) -> Result<Vec<u64>, StoreError> {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        let reader = self.reader();
        let search = || {
            let mut out = Vec::new();
            let mut wanted = ids.iter().copied().peekable();
            let mut statement = reader
                .prepare_cached("SELECT id, said FROM reports WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
            let mut rows = statement.query([signed(*first), signed(*last)])?;
            while let Some(row) = rows.next()? {
                let id = unsigned(row.get(0)?);
                while wanted.next_if(|next| *next < id).is_some() {}
                if wanted.next_if_eq(&id).is_some() && words.are_in(row.get_ref(1)?.as_str()?) {
                    out.push(id);
                }
            }
            Ok::<_, rusqlite::Error>(out)
        };
        search().map_err(|error| StoreError(format!("the store cannot be searched: {error}")))
    }

    fn refusals(&self, limit: usize) -> Result<(Vec<Refusal>, usize), StoreError> {
        let reader = self.reader();
        let read = || {
            let count: i64 = reader.query_row("SELECT count(*) FROM refusals", [], |row| row.get(0))?;
            let mut statement =
                reader.prepare_cached("SELECT id, refusal FROM refusals ORDER BY id DESC LIMIT ?1")?;
            let rows = statement.query_map([signed(limit as u64)], |row| {
                let refusal: Refusal = from_json(row.get_ref(1)?.as_str()?)?;
                Ok(Refusal { id: unsigned(row.get(0)?), ..refusal })
            })?;
            Ok::<_, rusqlite::Error>((
                rows.collect::<Result<Vec<_>, _>>()?,
                usize::try_from(count).unwrap_or(0),
            ))
        };
        read().map_err(|error| StoreError(format!("the store cannot be read: {error}")))
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
