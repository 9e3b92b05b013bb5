//! The settings: how they are given, their defaults, and how they are checked.

mod builder;
mod collector_url;
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
pub(crate) use self::collector_url::is_this_machine;
pub(crate) use self::defaults::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, MAX_DELIVERIES};
pub(crate) use self::options::{CaptureOptions, Destination, Limits, ReportOptions, RetryLimits};
pub use self::options::{Config, IdentityHeaders, Media, Responses};
pub(crate) use self::spool::Spool;
pub use self::spool::Spooling;
