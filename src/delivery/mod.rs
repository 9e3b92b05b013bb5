//! When a report is sent, and how often it is retried.

mod breaker;
pub(crate) mod dispatcher;
pub(crate) mod in_flight;
pub(crate) mod job;
pub(crate) mod outage_log;
mod retry;
pub(crate) mod schedule;

use tower::{BoxError, Service};

pub(crate) use self::breaker::{Breaker, Decision};
pub(crate) use self::retry::{GiveUpReason, Retry, doubled};
use crate::report::Report;

/// A service that sends reports.
pub(crate) trait Transport: Service<Report, Error: Into<BoxError>, Future: Send + 'static> {}

impl<S: Service<Report, Error: Into<BoxError>, Future: Send + 'static>> Transport for S {}
