//! What becomes of the reports once something was done with the disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::task::Done;
use super::{ADOPTION, Spooler, State};
use crate::budget::Budget;
use crate::delivery::spool::{Appended, Loaded, RealDisk, Spool, Stopped};
use crate::reporter::job::Job;
use crate::reporter::lineup::Lineup;
use crate::stats::Settlement;

/// After the disk failed; the next pauses double, up to a minute.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Spooler {
    /// Deals with what has ended.
    pub(super) fn finish(
        &mut self,
        ended: Option<(Option<Spool<RealDisk>>, Done)>,
        lineup: &mut Lineup,
        budget: &Arc<Budget>,
        next_id: impl FnMut() -> u64,
    ) {
        let Some((spool, done)) = ended else {
            // It panicked, and took the spool with it. What is on disk is there for another process to adopt.
            self.head = None;
            lineup.forget_segments();
            budget.lose_resting(self.resting.drain().map(|(_, reports)| reports).sum());
            self.written(Appended::default(), lineup);
            return self.fail(&"a panic", lineup, budget);
        };
        self.state = spool.map_or(State::Closed, State::Idle);
        let result = match done {
            Done::Opened(result) | Done::Removed(result) => result,
            Done::Written(mut appended) => match (appended.stopped.take(), self.written(appended, lineup)) {
                (None, _) => Ok(()),
                (Some(Stopped::Unfit), Some(first)) => {
                    lineup.get(first).into_iter().for_each(|job| job.spooled.is_unfit = true);
                    Ok(())
                }
                (Some(Stopped::Failed(error)), _) => Err(error),
                (Some(stopped), _) => Err(std::io::Error::other(format!("{stopped:?}"))),
            },
            Done::Loaded(loaded) => loaded.map(|loaded| self.loaded(loaded, lineup, budget, next_id)),
            Done::Adopted(adopted) => adopted.and_then(|adopted| {
                self.has_backlog |= adopted.segments > 0;
                let pause = if adopted.has_more { Duration::ZERO } else { ADOPTION };
                self.next_adoption = Instant::now() + pause;
                adopted.error.map_or(Ok(()), Err)
            }),
        };
        match result {
            Ok(()) => self.failures = 0,
            Err(error) => self.fail(&error, lineup, budget),
        }
    }

    /// Lines up what was written, or lets it rest. Returns the first that was not.
    fn written(&mut self, appended: Appended, lineup: &mut Lineup) -> Option<u64> {
        let mut segments = appended.durable.into_iter();
        let mut first = None;
        for (id, due) in std::mem::take(&mut self.writing) {
            let Some(segment) = segments.next() else {
                first.get_or_insert(id);
                lineup.again(id, due);
                continue;
            };
            if self.head.is_none() && !self.has_backlog {
                self.head = Some(segment);
                if let State::Idle(spool) = &mut self.state {
                    spool.hold(segment);
                }
            }
            if self.head == Some(segment) {
                lineup.place(id, segment);
                lineup.again(id, due);
            } else {
                lineup.settle(id, Settlement::Spooled);
                *self.resting.entry(segment).or_default() += 1;
                self.has_backlog = true;
            }
        }
        first
    }

    fn loaded(
        &mut self,
        loaded: Option<Loaded>,
        lineup: &mut Lineup,
        budget: &Arc<Budget>,
        mut next_id: impl FnMut() -> u64,
    ) {
        let Some(Loaded { segment, items, corrupt, is_foreign }) = loaded else {
            self.has_backlog = false;
            return;
        };
        self.head = Some(segment);
        let mut resting = self.resting.remove(&segment).unwrap_or_default();
        for item in items {
            // What was never acknowledged can come back too, and is new here.
            let is_foreign = is_foreign || resting == 0;
            if let Some(job) = Job::from_item(next_id(), item, segment, budget, is_foreign) {
                resting = resting.saturating_sub(1);
                lineup.push(job);
            }
        }
        budget.lose_resting(resting);
        if corrupt > 0 {
            budget.counters().fail_to_spool();
            tracing::warn!(
                records = corrupt,
                "reports on disk were damaged, and are lost; the segment is set aside"
            );
        }
    }

    /// The reports stay in memory, and the disk is left alone for a while.
    fn fail(&mut self, error: &dyn std::fmt::Display, lineup: &mut Lineup, budget: &Arc<Budget>) {
        if self.failures == 0 {
            tracing::warn!(%error, "the spool cannot be used: reports stay in memory");
        }
        budget.counters().fail_to_spool();
        let pause = SHORTEST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(Instant::now() + pause);
        lineup.give_up_writing();
    }
}
