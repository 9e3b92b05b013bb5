//! What stands in the place of the spool in builds without it.

use std::sync::Arc;

use crate::budget::Budget;
use crate::config::Config;
use crate::delivery::job::Job;
use crate::delivery::schedule::Lineup;

#[derive(Debug)]
pub(super) struct Spooler;

/// What the worker knows of how things stand.
#[derive(Debug)]
#[expect(dead_code, reason = "nobody wants to know")]
pub(super) struct Situation {
    pub(super) is_failing: bool,
    pub(super) is_ending: bool,
    pub(super) is_over: bool,
}

impl Spooler {
    pub(super) fn of(_: &Config) -> Self {
        Self
    }

    pub(super) fn comes_first(&self) -> bool {
        false
    }

    pub(super) fn push(&self, job: Job, lineup: &mut Lineup) {
        lineup.push(job);
    }

    pub(super) fn room(&self, _: &Lineup) -> usize {
        0
    }

    pub(super) fn has_more(&self, _: &Lineup) -> bool {
        false
    }

    pub(super) fn step(&mut self, _: Situation, _: &mut Lineup, _: &Arc<Budget>, _: impl FnMut() -> u64) {}

    pub(super) async fn progress(&mut self) {
        std::future::pending().await
    }

    pub(super) fn is_busy(&self) -> bool {
        false
    }

    pub(super) fn close(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        None
    }
}
