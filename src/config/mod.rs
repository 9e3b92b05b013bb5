//! The settings: how they are given, their defaults, and how they are checked.

mod builder;
pub(crate) mod collector_url;
mod defaults;
mod env;
mod hooks;
mod misspelled;
mod options;
mod parse;
mod setting;
mod spool;
mod validate;

pub use self::builder::ConfigBuilder;
#[cfg(feature = "reqwest")]
pub(crate) use self::collector_url::is_this_machine;
pub(crate) use self::options::{CaptureOptions, Destination, ReportOptions};
pub use self::options::{Config, IdentityHeaders, Limits, Media, Responses, RetryLimits};
pub use self::spool::{Spool, Spooling};
