//! How a report leaves the process.

mod error;
mod http;
mod retry;

pub use self::error::DeliveryError;
pub(crate) use self::http::HttpTransport;
pub(crate) use self::retry::Retry;
