//! Where reports are kept.

mod catalog;
mod memory;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, RwLockReadGuard};

use memchr::memmem::Finder;

pub use self::catalog::Catalog;
pub use self::memory::MemoryStore;
pub use self::record::{
    Attempt, Capacity, Hidden, Level, NewReport, Problem, Refusal, Size, Stored, Summary, Tokens, User,
};
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;

/// The maximum number of refusals, and of attempts of one report, that are kept.
pub(crate) const MOST_REFUSALS: usize = 1000;
pub(crate) const MOST_ATTEMPTS: usize = 100;

/// A change of a store: done, and on disk if the store has one, when the future is.
pub type Writing<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// What compares a new report with those that are there.
pub type Compare = Box<dyn FnOnce(&Catalog, &mut Summary) + Send>;

/// What became of a report.
#[derive(Clone, Debug)]
pub enum Appended {
    /// It is stored.
    New(Arc<Summary>),
    /// It was there before, with the same key and the same bytes; the attempt was added.
    Repeated(Arc<Summary>),
}

/// Why something could not be stored or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

/// A place for reports. All summaries are in memory; a store decides where the rest is.
pub trait Store: Send + Sync + 'static {
    /// `memory` or `sqlite`.
    fn name(&self) -> &'static str;

    /// Adds a report unless it is there, and makes place for it. `compare` runs before any later
    /// report is added.
    fn append(&self, report: NewReport, compare: Compare) -> Writing<Appended>;

    /// Adds a refusal, without regard to its id, and returns that.
    fn refuse(&self, refusal: Refusal) -> Writing<u64>;

    /// Removes reports, given by ascending ids. Returns how many there were.
    fn remove(&self, ids: Vec<u64>) -> Writing<u64>;

    /// Removes all refusals. Returns how many there were.
    fn forgive(&self) -> Writing<u64>;

    /// The summaries.
    fn catalog(&self) -> RwLockReadGuard<'_, Catalog>;

    /// A whole report. May block.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn read(&self, id: u64) -> Result<Option<Stored>, StoreError>;

    /// Those of the reports, given by ascending ids, in which all words were said. May block.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn search(&self, ids: &[u64], words: &Words) -> Result<Vec<u64>, StoreError>;

    /// The newest refusals, and how many are kept. May block.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn refusals(&self, limit: usize) -> Result<(Vec<Refusal>, usize), StoreError>;

    /// Why nothing can be stored at the moment.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// Words to look for: substrings of what was said, in its searched form.
#[derive(Debug, Default)]
pub struct Words {
    wanted: Vec<Finder<'static>>,
    unwanted: Vec<Finder<'static>>,
}

impl Words {
    /// Adds a word that has to be there, or must not.
    pub(crate) fn push(&mut self, word: &str, is_wanted: bool) {
        let finder = Finder::new(word.as_bytes()).into_owned();
        if is_wanted { self.wanted.push(finder) } else { self.unwanted.push(finder) }
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// Whether a text has what is wanted and nothing else.
    #[must_use]
    pub fn are_in(&self, said: &str) -> bool {
        let is_there = |finder: &Finder<'_>| finder.find(said.as_bytes()).is_some();
        self.wanted.iter().all(is_there) && !self.unwanted.iter().any(is_there)
    }
}
