//! One delivery attempt.

mod error;
mod http;
mod response;
mod tls;

pub use self::error::DeliveryError;
pub(crate) use self::http::HttpTransport;
