//! When a report is sent, and how often.

mod breaker;
mod retry;

pub(crate) use self::breaker::{Breaker, Permit};
pub(crate) use self::retry::{Retry, Spent};
