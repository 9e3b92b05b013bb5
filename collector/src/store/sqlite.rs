//! A store in a file of SQLite. Summaries are in memory, as with any store; the file has everything.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, params};
use tokio::sync::oneshot;

use super::catalog::Catalog;
use super::record::{Attempt, Capacity, NewReport, Refusal, Stored, Summary};
use super::{Appended, Compare, MOST_ATTEMPTS, MOST_REFUSALS, Store, StoreError, Words, Writing};

/// "RCOL", which marks the files of collectors.
const APPLICATION: i32 = 0x5243_4f4c;

/// The version of the tables. A file of another version is not touched.
const VERSION: i32 = 1;

/// The maximum number of reports that one transaction adds, and removes.
const BATCH: usize = 500;
const REMOVED: usize = 100;

/// How long to wait for a lock that another program holds.
const PATIENCE: Duration = Duration::from_secs(2);

const TABLES: &str = "
    CREATE TABLE reports (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        cost INTEGER NOT NULL,
        summary TEXT NOT NULL,
        hidden TEXT NOT NULL,
        attempts TEXT NOT NULL,
        said TEXT NOT NULL,
        raw TEXT NOT NULL
    ) STRICT;
    CREATE TABLE refusals (id INTEGER PRIMARY KEY AUTOINCREMENT, refusal TEXT NOT NULL) STRICT;
";

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

/// A change, and who waits for it.
struct Command {
    action: Action,
    reply: oneshot::Sender<Result<Done, StoreError>>,
}

enum Action {
    Append(Box<NewReport>, Compare),
    Refuse(Box<Refusal>),
    Remove(Vec<u64>),
    Forgive,
}

/// What is answered when the transaction is committed.
enum Done {
    Appended(Appended),
    Count(u64),
    /// To be removed from the catalog, too.
    Removed(Vec<u64>),
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

/// Locks a file beside the database: SQLite's own locks are not held between transactions.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private().create(true).truncate(false).write(true).open(&name);
    let file = file
        .map_err(|error| StoreError(format!("{} cannot be written: {error}", Path::new(&name).display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError(format!("{} is in use by another collector", path.display())))
        }
        Err(TryLockError::Error(error)) => {
            Err(StoreError(format!("{} cannot be locked: {error}", path.display())))
        }
    }
}

/// Files that only their owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates the file if it does not exist. Refuses a file that does not begin like a database.
fn is_database(path: &Path) -> Result<(), StoreError> {
    let unreadable = |error| StoreError(format!("{} cannot be opened: {error}", path.display()));
    let mut file =
        private().create(true).truncate(false).read(true).write(true).open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.by_ref().take(16).read_to_end(&mut head).map_err(unreadable)?;
    if head.is_empty() || head == b"SQLite format 3\0" {
        return Ok(());
    }
    Err(StoreError(format!("{} is not a database, and was not changed: name another file", path.display())))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    Ok(connection)
}

/// Checks a database, or makes the tables of a new one.
fn prepare(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    let explained = |error: rusqlite::Error| explain(path, &error);
    let number =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(explained);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    if tables.map_err(explained)? == 0 && application == 0 {
        return create(connection).map_err(explained);
    }
    if application != APPLICATION {
        return Err(StoreError(format!(
            "{} belongs to another program, and was not changed: name another file",
            path.display()
        )));
    }
    if version != VERSION {
        return Err(StoreError(format!(
            "{} was made by another version of the collector (its tables are version {version}, this one reads {VERSION}), and was not changed: export it there and import it here, or name another file",
            path.display()
        )));
    }
    let check = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(explained)?;
    if check != "ok" {
        let check = crate::text::label(&check, 200);
        return Err(StoreError(format!(
            "{} is damaged, and was not changed: move it away, or name another file ({check})",
            path.display()
        )));
    }
    // Fails if another program holds a lock.
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(explained)
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Reads all summaries.
fn load(connection: &Connection) -> rusqlite::Result<Catalog> {
    let mut catalog = Catalog::default();
    let mut statement = connection.prepare("SELECT id, cost, summary, hidden FROM reports ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut summary: Summary = from_json(row.get_ref(2)?.as_str()?)?;
        summary.hidden = from_json(row.get_ref(3)?.as_str()?)?;
        summary.id = unsigned(row.get(0)?);
        catalog.insert(Arc::new(summary), unsigned(row.get(1)?));
    }
    let last =
        connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'reports'", [], |row| row.get(0));
    catalog.skip_to(unsigned(last.optional()?.unwrap_or(0)));
    Ok(catalog)
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

/// The only one that writes: it commits together what has come since the last commit.
struct Writer {
    path: PathBuf,
    connection: Connection,
    capacity: Capacity,
    shared: Arc<Shared>,
}

impl Shared {
    fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Writer {
    fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            let mut batch = vec![first];
            batch.extend(commands.try_iter().take(BATCH - 1));
            self.commit(batch);
            self.make_place();
        }
    }

    fn commit(&mut self, batch: Vec<Command>) {
        let (actions, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|command| (command.action, command.reply)).unzip();
        let shared = &self.shared;
        let mut inserted = Vec::new();
        let committed = (|| {
            let transaction = self.connection.transaction()?;
            let obey = |action| obey(&transaction, shared, action, &mut inserted);
            let done = actions.into_iter().map(obey).collect::<Result<Vec<_>, _>>()?;
            transaction.commit()?;
            Ok(done)
        })();
        match committed.map_err(|error| explain(&self.path, &error)) {
            Ok(done) => {
                shared.set_trouble(None);
                for (done, reply) in done.into_iter().zip(replies) {
                    let done = match done {
                        Done::Removed(ids) => Done::Count(shared.write().remove(&ids)),
                        other => other,
                    };
                    // Who asked may be gone.
                    drop(reply.send(Ok(done)));
                }
            }
            Err(error) => {
                shared.set_trouble(Some(error.0.clone()));
                // Nothing of the batch is in the file: the catalog has to forget it too.
                shared.write().remove(&inserted);
                for reply in replies {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }

    /// Removes the oldest reports, a few at a time.
    fn make_place(&mut self) {
        let old = self.shared.write().overflow(self.capacity);
        for ids in old.chunks(REMOVED) {
            let removed = (|| {
                let transaction = self.connection.transaction()?;
                delete(&transaction, ids)?;
                transaction.commit()?;
                self.connection.execute_batch("PRAGMA incremental_vacuum(200)")
            })();
            match removed {
                Ok(()) => self.shared.write().evict(ids),
                Err(error) => return self.shared.set_trouble(Some(explain(&self.path, &error).0)),
            }
        }
    }
}

fn delete(transaction: &Transaction<'_>, ids: &[u64]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("DELETE FROM reports WHERE id = ?1")?;
    ids.iter().try_for_each(|id| statement.execute([signed(*id)]).map(drop))
}

fn obey(
    transaction: &Transaction<'_>,
    shared: &Shared,
    action: Action,
    inserted: &mut Vec<u64>,
) -> rusqlite::Result<Done> {
    match action {
        Action::Append(report, compare) => {
            let appended = append(transaction, shared, *report, compare)?;
            if let Appended::New(row) = &appended {
                inserted.push(row.id);
            }
            Ok(Done::Appended(appended))
        }
        Action::Refuse(refusal) => {
            transaction.execute("INSERT INTO refusals (refusal) VALUES (?1)", [to_json(&refusal)?])?;
            let id = transaction.last_insert_rowid();
            transaction
                .execute("DELETE FROM refusals WHERE id <= ?1", [id - signed(MOST_REFUSALS as u64)])?;
            Ok(Done::Count(unsigned(id)))
        }
        Action::Remove(ids) => {
            delete(transaction, &ids)?;
            Ok(Done::Removed(ids))
        }
        Action::Forgive => {
            transaction.execute("DELETE FROM refusals", []).map(|count| Done::Count(count as u64))
        }
    }
}

fn append(
    transaction: &Transaction<'_>,
    shared: &Shared,
    report: NewReport,
    compare: Compare,
) -> rusqlite::Result<Appended> {
    let NewReport { mut summary, said, raw, attempts } = report;
    let mut catalog = shared.write();
    let same = catalog.with_key(&summary.key).filter(|old| old.hidden.digest == summary.hidden.digest);
    if let Some(id) = same.map(|old| old.id) {
        let faulted = attempts.iter().filter(|attempt| attempt.fault.is_some()).count() as u64;
        let row = catalog.update(id, |row| {
            row.attempts += attempts.len() as u64;
            row.faulted += faulted;
        });
        if let Some(row) = row {
            let before =
                transaction
                    .query_row("SELECT attempts FROM reports WHERE id = ?1", [signed(id)], |row| row.get(0));
            let mut all: Vec<Attempt> =
                from_json::<Vec<Attempt>>(&before.optional()?.unwrap_or_else(|| "[]".to_owned()))?;
            let room = MOST_ATTEMPTS.saturating_sub(all.len());
            all.extend(attempts.into_iter().take(room));
            let values = params![to_json(&*row)?, to_json(&all)?, signed(id)];
            transaction.execute("UPDATE reports SET summary = ?1, attempts = ?2 WHERE id = ?3", values)?;
            return Ok(Appended::Repeated(row));
        }
    }
    compare(&catalog, &mut summary);
    summary.id = catalog.next_id();
    let cost = (said.len() + raw.len()) as u64;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO reports (id, cost, summary, hidden, attempts, said, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (id, hidden) = (signed(summary.id), to_json(&summary.hidden)?);
    statement.execute(params![
        id,
        signed(cost),
        to_json(&summary)?,
        hidden,
        to_json(&attempts)?,
        said,
        &*raw
    ])?;
    let row = Arc::new(summary);
    catalog.insert(Arc::clone(&row), cost);
    Ok(Appended::New(row))
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
