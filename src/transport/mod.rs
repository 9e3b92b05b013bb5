//! One delivery attempt.

mod error;
#[cfg(feature = "reqwest")]
mod http;
#[cfg(feature = "reqwest")]
mod response;
#[cfg(feature = "reqwest")]
mod tls;

pub use self::error::DeliveryError;
#[cfg(feature = "reqwest")]
pub use self::http::HttpTransport;
