//! What posting costs by itself: a thread that posts a report for each exchange, and has it from nowhere.
//!
//! No layer can cost less that has its reports posted from the gateway's process, one a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::Error;
use crate::load::MARK;
use crate::spawning::Poster;
use crate::upstream::LAST_WORDS;

/// What a report of these exchanges takes, of JSON and of streams.
const REPORT: usize = 2_560;

/// As many as the layer sends at once.
const AT_ONCE: usize = 32;

/// How often the thread looks what there is to do, as the layer's does.
const LOOK: Duration = Duration::from_millis(10);

/// Starts the thread; it posts as many reports as the counter says.
pub(crate) fn start(poster: Poster) -> Result<Arc<AtomicU64>, Error> {
    let passed = Arc::new(AtomicU64::new(0));
    let counted = passed.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().spawn(move || {
        runtime.block_on(async move {
            let filler = "x".repeat(REPORT);
            let mut posted = 0;
            loop {
                let due = posted..counted.load(Ordering::Relaxed);
                posted = due.end;
                if due.is_empty() {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                let reports = stream::iter(due).map(|number| {
                    poster.post(format!(r#"{{"{MARK}{number:010}":"{filler} {LAST_WORDS}"}}"#).into_bytes())
                });
                reports.buffer_unordered(AT_ONCE).collect::<()>().await;
            }
        });
    })?;
    Ok(passed)
}
