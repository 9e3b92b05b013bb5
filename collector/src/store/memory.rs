//! A ring in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use super::catalog::Catalog;
use super::record::{Attempt, Capacity, NewReport, Refusal, Stored, cost_of};
use super::{Appended, Compare, MOST_ATTEMPTS, MOST_REFUSALS, Store, StoreError, Words, Writing};

/// Keeps reports in memory, the newest that fit.
#[derive(Debug, Default)]
pub struct MemoryStore {
    capacity: Capacity,
    catalog: RwLock<Catalog>,
    texts: Mutex<VecDeque<Texts>>,
    refusals: Mutex<(VecDeque<Refusal>, u64)>,
}

#[derive(Debug)]
struct Texts {
    id: u64,
    said: Arc<str>,
    raw: Arc<str>,
    attempts: Vec<Attempt>,
}

impl MemoryStore {
    /// A store that holds so much.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self { capacity, ..Self::default() }
    }

    fn texts(&self) -> MutexGuard<'_, VecDeque<Texts>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, report: NewReport, compare: Compare) -> Appended {
        let NewReport { mut summary, said, raw, attempts } = report;
        let mut texts = self.texts();
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        let same = catalog.with_key(&summary.key).filter(|old| old.hidden.digest == summary.hidden.digest);
        if let Some(id) = same.map(|old| old.id) {
            let faulted = attempts.iter().filter(|attempt| attempt.fault.is_some()).count() as u64;
            let (count, mut more) = (attempts.len() as u64, 0);
            if let Ok(position) = texts.binary_search_by_key(&id, |row| row.id)
                && let Some(old) = texts.get_mut(position)
            {
                let room = MOST_ATTEMPTS.saturating_sub(old.attempts.len());
                let kept: Vec<_> = attempts.iter().take(room).cloned().collect();
                more = cost_of(&kept);
                old.attempts.extend(kept);
            }
            let row = catalog.update(id, more, |row| {
                row.attempts += count;
                row.faulted += faulted;
            });
            if let Some(row) = row {
                self.make_place(&mut texts, &mut catalog);
                return Appended::Repeated(row);
            }
        }
        compare(&catalog, &mut summary);
        summary.id = catalog.next_id();
        let row = Arc::new(summary);
        catalog.insert(Arc::clone(&row), (said.len() + raw.len()) as u64 + cost_of(&attempts));
        texts.push_back(Texts { id: row.id, said: said.into(), raw, attempts });
        self.make_place(&mut texts, &mut catalog);
        Appended::New(row)
    }

    /// Removes the oldest reports.
    fn make_place(&self, texts: &mut VecDeque<Texts>, catalog: &mut Catalog) {
        let old = catalog.overflow(self.capacity);
        let most = texts.len();
        texts.drain(..old.len().min(most));
        catalog.evict(&old);
    }
}

fn done<T: Send + 'static>(value: T) -> Writing<T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn append(&self, report: NewReport, compare: Compare) -> Writing<Appended> {
        done(self.add(report, compare))
    }

    fn refuse(&self, mut refusal: Refusal) -> Writing<u64> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, last) = &mut *refusals;
        *last += 1;
        refusal.id = *last;
        kept.push_back(refusal);
        while kept.len() > MOST_REFUSALS {
            kept.pop_front();
        }
        done(*last)
    }

    fn remove(&self, ids: Vec<u64>) -> Writing<u64> {
        let mut texts = self.texts();
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        texts.retain(|row| ids.binary_search(&row.id).is_err());
        done(catalog.remove(&ids))
    }

    fn forgive(&self) -> Writing<u64> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        done(std::mem::take(&mut refusals.0).len() as u64)
    }

    fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, id: u64) -> Result<Option<Stored>, StoreError> {
        let texts = self.texts();
        let Some(summary) = self.catalog().get(id).cloned() else { return Ok(None) };
        let row = texts.binary_search_by_key(&id, |row| row.id).ok().and_then(|position| texts.get(position));
        Ok(row.map(|row| Stored { summary, raw: Arc::clone(&row.raw), attempts: row.attempts.clone() }))
    }

    fn search(&self, ids: &[u64], words: &Words) -> Result<Vec<u64>, StoreError> {
        // Nothing waits for a search: only references are copied under the lock.
        let said: Vec<_> = self.texts().iter().map(|row| (row.id, Arc::clone(&row.said))).collect();
        let said = |id: &u64| {
            let position = said.binary_search_by_key(id, |(id, _)| *id).ok()?;
            said.get(position).map(|(_, said)| said)
        };
        Ok(ids.iter().copied().filter(|id| said(id).is_some_and(|said| words.are_in(said))).collect())
    }

    fn refusals(&self, limit: usize) -> Result<(Vec<Refusal>, usize), StoreError> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((refusals.0.iter().rev().take(limit).cloned().collect(), refusals.0.len()))
    }
}
