//! The file: opened, checked, made, and read once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::super::StoreError;
use super::super::catalog::Catalog;
use super::super::record::Summary;
use super::{explain, from_json, unsigned};

/// "RCOL", which marks the files of collectors.
const APPLICATION: i32 = 0x5243_4f4c;

/// The version of the tables. A file of another version is not touched.
const VERSION: i32 = 1;

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

/// Locks a file beside the database: SQLite's own locks are not held between transactions.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
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
pub(super) fn is_database(path: &Path) -> Result<(), StoreError> {
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

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
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
pub(super) fn prepare(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
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
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Catalog> {
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
