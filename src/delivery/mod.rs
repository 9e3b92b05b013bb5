//! When a report is sent, and how often it is retried.

mod breaker;
pub(crate) mod dispatcher;
pub(crate) mod in_flight;
pub(crate) mod job;
pub(crate) mod outage_log;
mod retry;
pub(crate) mod schedule;

pub(crate) use self::breaker::{Breaker, Decision};
pub(crate) use self::retry::{GiveUpReason, Retry, doubled};
