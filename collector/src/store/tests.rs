//! What every store promises.

use std::sync::Arc;

use super::*;
use crate::wire::Field;

/// Where the stores of a test are.
enum Place {
    Memory,
    #[cfg(feature = "sqlite")]
    File(tempfile::TempDir),
}

impl Place {
    fn all() -> Vec<Self> {
        vec![
            Self::Memory,
            #[cfg(feature = "sqlite")]
            Self::File(tempfile::tempdir().unwrap()),
        ]
    }

    fn store(&self, capacity: Capacity) -> Arc<dyn Store> {
        match self {
            Self::Memory => Arc::new(MemoryStore::new(capacity)),
            #[cfg(feature = "sqlite")]
            Self::File(folder) => {
                Arc::new(SqliteStore::open(folder.path().join("collector.db"), capacity).unwrap())
            }
        }
    }
}

fn report(key: &str, said: &str) -> NewReport {
    let mut summary = Summary { key: key.into(), session_key: "s".into(), attempts: 1, ..Summary::default() };
    summary.hidden.digest = said.len() as u64;
    let attempt = Attempt {
        at: 1,
        status: Some(200),
        key: None,
        user_agent: None,
        bytes: 2,
        same_bytes: true,
        fault: None,
    };
    NewReport {
        summary,
        said: said.to_owned(),
        raw: Arc::from(format!("{{\"said\":\"{said}\"}}")),
        attempts: vec![attempt],
    }
}

async fn add(store: &dyn Store, key: &str, said: &str) -> Appended {
    store.append(report(key, said), Box::new(|_, _| {})).await.unwrap()
}

fn ids(store: &dyn Store) -> Vec<u64> {
    store.catalog().rows().map(|row| row.id).collect()
}

fn words(word: &str, is_wanted: bool) -> Words {
    let mut words = Words::default();
    words.push(word, is_wanted);
    words
}

#[tokio::test]
async fn a_report_is_read_as_it_was_stored_and_found_by_what_was_said() {
    for place in Place::all() {
        let store = place.store(Capacity::default());
        for (key, said) in [("a", "привет"), ("b", "it's 100% _sure_"), ("c", "今天我")] {
            assert!(matches!(add(&*store, key, said).await, Appended::New(_)));
        }
        let stored = store.read(2).unwrap().unwrap();
        assert_eq!(
            (&*stored.summary.key, &*stored.raw, stored.attempts.len()),
            ("b", "{\"said\":\"it's 100% _sure_\"}", 1)
        );
        assert!(store.read(4).unwrap().is_none());
        let search = |ids: &[u64], words: &Words| store.search(ids, words).unwrap();
        assert_eq!(search(&[1, 2, 3], &words("ривет", true)), [1]);
        assert_eq!(search(&[1, 2, 3], &words("'s 100%", true)), [2]);
        assert_eq!(search(&[1, 2, 3], &words("%", false)), [1, 3]);
        assert_eq!(search(&[1, 2], &words("今", true)), [] as [u64; 0]);
        assert_eq!(search(&[], &words("x", false)), [] as [u64; 0]);
        assert_eq!(store.catalog().session("s").iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
    }
}

#[tokio::test]
async fn the_same_key_with_the_same_bytes_is_the_same_report() {
    for place in Place::all() {
        let store = place.store(Capacity::default());
        add(&*store, "a", "one").await;
        assert!(
            matches!(add(&*store, "a", "one").await, Appended::Repeated(row) if row.id == 1 && row.attempts == 2)
        );
        assert_eq!(store.read(1).unwrap().unwrap().attempts.len(), 2);
        assert!(matches!(add(&*store, "a", "other").await, Appended::New(row) if row.id == 2));
    }
}

#[tokio::test]
async fn a_report_is_compared_with_all_that_were_added_before() {
    for place in Place::all() {
        let store = place.store(Capacity::default());
        let append = |key: &str| {
            let compare: Compare =
                Box::new(|catalog, summary| summary.asked = catalog.session("s").len().to_string());
            store.append(report(key, key), compare)
        };
        // All are given to the store before it has answered any.
        let writes: Vec<_> = (0..50).map(|key| append(&key.to_string())).collect();
        for (number, write) in writes.into_iter().enumerate() {
            assert!(matches!(write.await.unwrap(), Appended::New(row) if row.asked == number.to_string()));
        }
    }
}

#[tokio::test]
async fn the_oldest_make_place_and_ids_are_never_used_twice() {
    for place in Place::all() {
        let store = place.store(Capacity { reports: 3, bytes: 1 << 30 });
        for key in 0..7 {
            add(&*store, &key.to_string(), "x").await;
        }
        // A store may need a moment to make place.
        while store.catalog().size().reports > 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!((ids(&*store), store.catalog().size().evicted), (vec![5, 6, 7], 4));
        assert!(store.read(4).unwrap().is_none());
        assert_eq!(store.remove(vec![5, 6, 7, 9]).await.unwrap(), 3);
        assert_eq!((ids(&*store), store.catalog().sessions(), store.catalog().size().bytes), (vec![], 0, 0));
        assert!(matches!(add(&*store, "a", "x").await, Appended::New(row) if row.id == 8));
    }
}

#[tokio::test]
async fn refusals_are_kept_up_to_a_limit_the_newest_first() {
    for place in Place::all() {
        let store = place.store(Capacity::default());
        let field = Field { pointer: "/a".into(), found: "b".into(), expected: "c".into() };
        for at in 0..(MOST_REFUSALS as u64 + 5) {
            let refusal = Refusal {
                id: 0,
                at,
                path: "/track".into(),
                status: 400,
                reason: String::new(),
                fields: vec![field.clone()],
                key: None,
                user_agent: None,
                bytes: 0,
                head: String::new(),
            };
            store.refuse(refusal).await.unwrap();
        }
        let (refusals, kept) = store.refusals(2).unwrap();
        assert_eq!((refusals[0].id, refusals[1].at, kept), (1005, 1003, MOST_REFUSALS));
        assert_eq!(refusals[0].fields, std::slice::from_ref(&field));
        assert_eq!((store.forgive().await.unwrap(), store.refusals(9).unwrap().1), (1000, 0));
    }
}

#[cfg(feature = "sqlite")]
mod files {
    use super::*;

    fn open(path: &std::path::Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(path, Capacity::default())
    }

    #[tokio::test]
    async fn a_file_has_everything_after_it_was_closed() {
        let place = Place::File(tempfile::tempdir().unwrap());
        let before = {
            let store = place.store(Capacity::default());
            add(&*store, "a", "one").await;
            add(&*store, "b", "two").await;
            add(&*store, "b", "two").await;
            store.remove(vec![1]).await.unwrap();
            add(&*store, "c", "three").await;
            store.remove(vec![3]).await.unwrap();
            store.read(2).unwrap().unwrap()
        };
        let store = place.store(Capacity::default());
        let after = store.read(2).unwrap().unwrap();
        assert_eq!(
            (&after.summary, &after.raw, &after.attempts),
            (&before.summary, &before.raw, &before.attempts)
        );
        assert_eq!((ids(&*store), store.catalog().size().last_id), (vec![2], 3));
        assert!(matches!(add(&*store, "b", "two").await, Appended::Repeated(_)));
        assert!(matches!(add(&*store, "d", "four").await, Appended::New(row) if row.id == 4));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("c.db")).unwrap();
        add(&store, "a", "x").await;
        let mut names = Vec::new();
        for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
            names.push(file.file_name().into_string().unwrap());
        }
        names.sort();
        assert_eq!(names, ["c.db", "c.db-shm", "c.db-wal", "c.db.lock"]);
    }

    /// A file with which something is wrong is refused with a reason, and is afterwards as before.
    fn refused(path: &std::path::Path, expected: &str) {
        let before = std::fs::read(path).unwrap();
        let error = open(path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&*path.to_string_lossy()), "{error}");
        assert_eq!(std::fs::read(path).unwrap(), before);
    }

    #[tokio::test]
    async fn a_file_of_another_version_or_program_or_none_is_refused_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        add(&open(&path).unwrap(), "a", "x").await;
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA user_version = 7; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(connection);
        refused(&path, "another version");
        let path = folder.path().join("other.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        refused(&path, "another program");
        let path = folder.path().join("text");
        std::fs::write(&path, "not a database").unwrap();
        refused(&path, "not a database");
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        {
            let store = open(&path).unwrap();
            for key in 0..200 {
                add(&store, &key.to_string(), &"x".repeat(2000)).await;
            }
        }
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[8192..65_536].fill(0xa5);
        std::fs::write(&path, &damaged).unwrap();
        refused(&path, "damaged");
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        refused(&path, "damaged");
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(open(&path).unwrap().catalog().size().reports, 200);
    }

    #[tokio::test]
    async fn a_file_that_is_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        let store = open(&path).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("in use by another collector"));
        drop(store);
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("locked by another program"));
        other.execute_batch("COMMIT").unwrap();
        assert!(open(&path).is_ok());
    }

    #[tokio::test]
    async fn a_full_file_takes_nothing_more_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        let mut taken = 0;
        {
            let store = SqliteStore::open_limited(&path, Capacity::default(), Some(100)).unwrap();
            let error = loop {
                let key = taken.to_string();
                match store.append(report(&key, &"x".repeat(5000)), Box::new(|_, _| {})).await {
                    Ok(_) => taken += 1,
                    Err(error) => break error,
                }
            };
            assert!(taken > 10 && error.to_string().contains("is full"), "{taken}: {error}");
            assert_eq!(store.trouble(), Some(error.0));
            assert_eq!(store.catalog().size().reports, taken);
            // Another attempt of a report finds no room at some time, and is not counted then.
            let mut attempts = 1;
            let failed = loop {
                let again = report("0", &"x".repeat(5000));
                match store.append(again, Box::new(|_, _| {})).await {
                    Ok(Appended::Repeated(row)) if row.attempts <= 100 => attempts = row.attempts,
                    other => break other,
                }
            };
            assert!(failed.is_err(), "{failed:?}");
            assert_eq!(store.catalog().get(1).unwrap().attempts, attempts);
            // Whoever makes place can go on.
            assert_eq!(store.remove((1..=5).collect()).await.unwrap(), 5);
            assert_eq!(store.trouble(), None);
            add(&store, "more", "x").await;
        }
        let store = open(&path).unwrap();
        assert_eq!(store.catalog().size().reports, taken - 4);
        assert_eq!(store.read(taken).unwrap().unwrap().raw.len(), report("", &"x".repeat(5000)).raw.len());
    }
}
