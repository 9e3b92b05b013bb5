//! The thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::oneshot;

use super::super::record::{Attempt, Capacity, NewReport, Refusal, Summary, cost_of};
use super::super::{Appended, Compare, MOST_ATTEMPTS, MOST_REFUSALS, StoreError};
use super::{Shared, explain, from_json, signed, to_json, unsigned};

/// The maximum number of reports that one transaction adds, and removes.
const BATCH: usize = 500;
const REMOVED: usize = 100;

/// A change, and who waits for it.
pub(super) struct Command {
    pub(super) action: Action,
    pub(super) reply: oneshot::Sender<Result<Done, StoreError>>,
}

pub(super) enum Action {
    Append(Box<NewReport>, Compare),
    Refuse(Box<Refusal>),
    Remove(Vec<u64>),
    Forgive,
}

/// What is answered when the transaction is committed.
pub(super) enum Done {
    Appended(Appended),
    Count(u64),
    /// To be removed from the catalog, too.
    Removed(Vec<u64>),
}

/// What a batch has changed in the catalog, to be taken back if it fails.
enum Change {
    Inserted(u64),
    /// The summary before, and how many bytes it got.
    Updated(Arc<Summary>, u64),
}

/// The only one that writes: it commits together what has come since the last commit.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) capacity: Capacity,
    pub(super) shared: Arc<Shared>,
}

impl Writer {
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
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
        let mut changes = Vec::new();
        let committed = (|| {
            let transaction = self.connection.transaction()?;
            let obey = |action| obey(&transaction, shared, action, &mut changes);
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
                let mut catalog = shared.write();
                for change in changes.into_iter().rev() {
                    match change {
                        Change::Inserted(id) => _ = catalog.remove(&[id]),
                        Change::Updated(row, more) => catalog.restore(row, more),
                    }
                }
                drop(catalog);
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
    changes: &mut Vec<Change>,
) -> rusqlite::Result<Done> {
    match action {
        Action::Append(report, compare) => {
            append(transaction, shared, *report, compare, changes).map(Done::Appended)
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
    changes: &mut Vec<Change>,
) -> rusqlite::Result<Appended> {
    let NewReport { mut summary, said, raw, attempts } = report;
    let mut catalog = shared.write();
    let same = catalog.with_key(&summary.key).filter(|old| old.hidden.digest == summary.hidden.digest);
    if let Some(old) = same.cloned() {
        let id = old.id;
        let faulted = attempts.iter().filter(|attempt| attempt.fault.is_some()).count() as u64;
        let before =
            transaction
                .query_row("SELECT attempts FROM reports WHERE id = ?1", [signed(id)], |row| row.get(0));
        let mut all: Vec<Attempt> =
            from_json::<Vec<Attempt>>(&before.optional()?.unwrap_or_else(|| "[]".to_owned()))?;
        let (count, room) = (attempts.len() as u64, MOST_ATTEMPTS.saturating_sub(all.len()));
        let kept: Vec<_> = attempts.iter().take(room).cloned().collect();
        let more = cost_of(&kept);
        all.extend(kept);
        let row = catalog.update(id, more, |row| {
            row.attempts += count;
            row.faulted += faulted;
        });
        if let Some(row) = row {
            changes.push(Change::Updated(old, more));
            let values = params![to_json(&*row)?, to_json(&all)?, signed(more), signed(id)];
            transaction.execute(
                "UPDATE reports SET summary = ?1, attempts = ?2, cost = cost + ?3 WHERE id = ?4",
                values,
            )?;
            return Ok(Appended::Repeated(row));
        }
    }
    compare(&catalog, &mut summary);
    summary.id = catalog.next_id();
    let cost = (said.len() + raw.len()) as u64 + cost_of(&attempts);
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
    changes.push(Change::Inserted(row.id));
    Ok(Appended::New(row))
}
