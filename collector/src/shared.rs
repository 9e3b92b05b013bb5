//! What the handlers of all requests share.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use crate::events::Events;
use crate::faults::Faults;
use crate::guard::Guard;
use crate::store::{Attempt, MOST_ATTEMPTS, Store, Summary};
use crate::wire::Rules;

/// The longest body of a report: a legal one is twice 16 MiB and its envelope.
pub(crate) const LONGEST_BODY: usize = 48 << 20;

/// The maximum KiB of bodies that are being read: of their beginnings, and of the rest.
const SMALL_READS: usize = 64 << 10;
const LARGE_READS: usize = 256 << 10;
/// The maximum number of requests that wait for reports, of open event streams, and of requests that
/// read the store.
const WAITS: usize = 32;
const STREAMS: usize = 64;
const WORK: usize = 8;

/// The maximum number of remembered keys whose reports have met faults only.
const MOST_PENDING: usize = 1000;

/// Told about every report, and every refused one.
pub(crate) type Printer = Arc<dyn Fn(&str) + Send + Sync>;
/// The counts of a reporter in the same process.
pub(crate) type Stats = Arc<dyn Fn() -> Value + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rules: Rules,
    pub(crate) guard: Guard,
    pub(crate) limits: crate::store::Capacity,
    pub(crate) faults: Faults,
    pub(crate) events: Events,
    pub(crate) counters: Counters,
    pub(crate) stats: Option<Stats>,
    pub(crate) printer: Option<Printer>,
    pub(crate) name: String,
    pub(crate) started: u64,
    pub(crate) address: OnceLock<String>,
    pub(crate) small_reads: Arc<Semaphore>,
    pub(crate) large_reads: Arc<Semaphore>,
    pub(crate) waits: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) work: Arc<Semaphore>,
    pub(crate) stop: watch::Sender<bool>,
    pending: Mutex<Pending>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("name", &self.name)
            .field("store", &self.store.name())
            .finish_non_exhaustive()
    }
}

/// What became of all POSTs since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) ok: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) faulted: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) bytes: AtomicU64,
    formats: [AtomicU64; FORMATS.len()],
}

/// The values of the label `format`; a sender cannot add any.
pub(crate) const FORMATS: [&str; 9] =
    ["openai", "anthropic", "gemini", "bedrock", "cohere", "mistral", "perplexity", "universal", "other"];

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a stored report.
    pub(crate) fn count_report(&self, report: &Summary) {
        Self::count(&self.ok);
        self.bytes.fetch_add(report.bytes, Ordering::Relaxed);
        let known = FORMATS.iter().zip(&self.formats).find(|(format, _)| **format == report.format);
        if let Some(counter) = known.map(|(_, counter)| counter).or(self.formats.last()) {
            Self::count(counter);
        }
    }

    pub(crate) fn by_format(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FORMATS.into_iter().zip(self.formats.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }
}

/// The attempts of reports that have not come through yet.
#[derive(Debug, Default)]
struct Pending {
    attempts: HashMap<String, (u64, Vec<Attempt>)>,
    order: VecDeque<String>,
}

impl Shared {
    pub(crate) fn new(store: Arc<dyn Store>, rules: Rules, guard: Guard, name: String) -> Self {
        Self {
            store,
            rules,
            guard,
            name,
            limits: crate::store::Capacity::default(),
            faults: Faults::default(),
            events: Events::default(),
            counters: Counters::default(),
            stats: None,
            printer: None,
            started: crate::time::now(),
            address: OnceLock::new(),
            small_reads: Arc::new(Semaphore::new(SMALL_READS)),
            large_reads: Arc::new(Semaphore::new(LARGE_READS)),
            waits: Arc::new(Semaphore::new(WAITS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            work: Arc::new(Semaphore::new(WORK)),
            stop: watch::Sender::new(false),
            pending: Mutex::default(),
        }
    }

    pub(crate) fn open_streams(&self) -> usize {
        STREAMS.saturating_sub(self.streams.available_permits())
    }

    pub(crate) fn print(&self, line: impl FnOnce() -> String) {
        if let Some(printer) = &self.printer {
            printer(&line());
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an attempt that did not come through. `digest` tells other bytes apart.
    pub(crate) fn remember(&self, key: &str, digest: u64, mut attempt: Attempt) {
        let mut pending = self.pending();
        if !pending.attempts.contains_key(key) {
            pending.order.push_back(key.to_owned());
        }
        let (first, attempts) =
            pending.attempts.entry(key.to_owned()).or_insert_with(|| (digest, Vec::new()));
        attempt.same_bytes = *first == digest;
        if attempts.len() < MOST_ATTEMPTS {
            attempts.push(attempt);
        }
        while pending.order.len() > MOST_PENDING {
            if let Some(oldest) = pending.order.pop_front() {
                pending.attempts.remove(&oldest);
            }
        }
    }

    /// The attempts of a report that comes through now.
    pub(crate) fn recall(&self, key: &str) -> Vec<Attempt> {
        let mut pending = self.pending();
        let found = pending.attempts.remove(key);
        if found.is_some() {
            pending.order.retain(|other| other != key);
        }
        found.map(|(_, attempts)| attempts).unwrap_or_default()
    }

    /// The reports that only ever met faults, newest last.
    pub(crate) fn undelivered(&self) -> Vec<(String, Vec<Attempt>)> {
        let pending = self.pending();
        let attempts =
            |key: &String| pending.attempts.get(key).map(|(_, attempts)| (key.clone(), attempts.clone()));
        pending.order.iter().filter_map(attempts).collect()
    }
}
