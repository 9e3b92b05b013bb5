//! How a report leaves the process.

mod answer;
mod breaker;
mod error;
mod http;
mod retry;
#[cfg(feature = "spool")]
pub(crate) mod spool;
mod tls;

pub(crate) use self::breaker::{Breaker, Permit};
pub use self::error::DeliveryError;
pub(crate) use self::http::HttpTransport;
pub(crate) use self::retry::{Retry, Spent};
#[cfg(feature = "spool")]
pub(crate) use self::spool::SegmentId;
#[cfg(all(fuzzing, feature = "spool"))]
pub use self::spool::fuzzing;

/// There are none.
#[cfg(not(feature = "spool"))]
pub(crate) type SegmentId = std::convert::Infallible;
