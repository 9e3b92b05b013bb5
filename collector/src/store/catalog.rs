//! The summaries of all stored reports, in memory, whichever store has the rest.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::record::{Capacity, Size, Summary};

/// What a row costs beside its texts.
const ROW: u64 = 1024;

/// The entry of a name that no report has.
static NONE: BTreeSet<u64> = BTreeSet::new();

/// All summaries in order of their ids, and where to find them by session, key and file. Every index
/// has entries of stored reports only, so nothing but the ring grows.
#[derive(Debug, Default)]
pub struct Catalog {
    rows: VecDeque<(Arc<Summary>, u64)>,
    sessions: HashMap<String, BTreeSet<u64>>,
    keys: HashMap<String, u64>,
    /// The uploads of files, and the interactions that they were part of.
    uploaded: HashMap<String, BTreeSet<u64>>,
    detached: HashMap<String, BTreeSet<u64>>,
    bytes: u64,
    uploads: u64,
    evicted: u64,
    last_id: u64,
}

impl Catalog {
    /// All, the oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Arc<Summary>> {
        self.rows.iter().map(|(row, _)| row)
    }

    /// Those with greater ids, the oldest first.
    pub fn after(&self, id: u64) -> impl DoubleEndedIterator<Item = &Arc<Summary>> {
        let start = self.rows.partition_point(|(row, _)| row.id <= id);
        self.rows.range(start..).map(|(row, _)| row)
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.rows.binary_search_by_key(&id, |(row, _)| row.id).ok()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Arc<Summary>> {
        self.rows.get(self.position(id)?).map(|(row, _)| row)
    }

    /// The newest one with this idempotency key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Option<&Arc<Summary>> {
        self.get(*self.keys.get(key)?)
    }

    /// The ids of a session.
    #[must_use]
    pub fn session(&self, key: &str) -> &BTreeSet<u64> {
        self.sessions.get(key).unwrap_or(&NONE)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The upload of a file.
    #[must_use]
    pub fn upload_of(&self, file: &str) -> Option<u64> {
        self.uploaded.get(file)?.first().copied()
    }

    /// Whether an interaction has a file that was detached.
    #[must_use]
    pub fn is_detached(&self, file: &str) -> bool {
        self.detached.contains_key(file)
    }

    fn files(&mut self, row: &Summary) -> &mut HashMap<String, BTreeSet<u64>> {
        if row.is_upload() { &mut self.uploaded } else { &mut self.detached }
    }

    /// What is stored.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            reports: self.rows.len() as u64,
            uploads: self.uploads,
            bytes: self.bytes,
            evicted: self.evicted,
            last_id: self.last_id,
        }
    }

    /// The id of the next one.
    pub(super) fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// Ids are never used twice, also not those of reports that are gone.
    #[cfg(feature = "sqlite")]
    pub(super) fn skip_to(&mut self, last_id: u64) {
        self.last_id = self.last_id.max(last_id);
    }

    /// Adds the newest one, which has `texts` bytes of texts and attempts beside the summary.
    pub(super) fn insert(&mut self, row: Arc<Summary>, texts: u64) {
        let cost = ROW + texts + row.bytes_in_memory();
        self.last_id = self.last_id.max(row.id);
        self.uploads += u64::from(row.is_upload());
        self.keys.insert(row.key.clone(), row.id);
        if !row.is_upload() {
            self.sessions.entry(row.session_key.clone()).or_default().insert(row.id);
        }
        for file in &row.hidden.files {
            self.files(&row).entry(file.clone()).or_default().insert(row.id);
        }
        self.bytes += cost;
        self.rows.push_back((row, cost));
    }

    /// Changes a summary, and adds `more` bytes to what its report costs.
    pub(super) fn update(
        &mut self,
        id: u64,
        more: u64,
        change: impl FnOnce(&mut Summary),
    ) -> Option<Arc<Summary>> {
        let position = self.position(id)?;
        let (row, cost) = self.rows.get_mut(position)?;
        *cost += more;
        self.bytes += more;
        change(Arc::make_mut(row));
        Some(Arc::clone(row))
    }

    /// Undoes an update: `row` is the summary before it.
    #[cfg(feature = "sqlite")]
    pub(super) fn restore(&mut self, row: Arc<Summary>, more: u64) {
        if let Some(place) = self.position(row.id).and_then(|position| self.rows.get_mut(position)) {
            *place = (row, place.1 - more);
            self.bytes -= more;
        }
    }

    /// The oldest reports that have to go.
    pub(super) fn overflow(&self, capacity: Capacity) -> Vec<u64> {
        let (mut reports, mut bytes) = (self.rows.len() as u64, self.bytes);
        let mut out = Vec::new();
        for (row, cost) in &self.rows {
            // The newest one stays, however large it is.
            if (reports <= capacity.reports && bytes <= capacity.bytes) || reports <= 1 {
                break;
            }
            reports -= 1;
            bytes -= cost;
            out.push(row.id);
        }
        out
    }

    pub(super) fn evict(&mut self, ids: &[u64]) {
        self.evicted += ids.len() as u64;
        self.remove(ids);
    }

    /// Removes some, given in ascending order. Returns how many there were.
    pub(super) fn remove(&mut self, ids: &[u64]) -> u64 {
        let before = self.rows.len();
        // The usual case: the oldest.
        let mut rest = ids;
        while let (Some((row, _)), Some((id, others))) = (self.rows.front(), rest.split_first()) {
            if row.id != *id {
                break;
            }
            if let Some((row, cost)) = self.rows.pop_front() {
                self.forget(&row, cost);
            }
            rest = others;
        }
        if !rest.is_empty() {
            for (row, cost) in std::mem::take(&mut self.rows) {
                if rest.binary_search(&row.id).is_ok() {
                    self.forget(&row, cost);
                } else {
                    self.rows.push_back((row, cost));
                }
            }
        }
        (before - self.rows.len()) as u64
    }

    fn forget(&mut self, row: &Summary, cost: u64) {
        self.bytes -= cost;
        self.uploads -= u64::from(row.is_upload());
        if self.keys.get(&row.key) == Some(&row.id) {
            self.keys.remove(&row.key);
        }
        drop_id(&mut self.sessions, &row.session_key, row.id);
        for file in &row.hidden.files {
            drop_id(self.files(row), file, row.id);
        }
    }
}

/// Removes an id from an index, and the entry with its last id.
fn drop_id(index: &mut HashMap<String, BTreeSet<u64>>, name: &str, id: u64) {
    if let Some(ids) = index.get_mut(name) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(name);
        }
    }
}
