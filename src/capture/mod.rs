//! Runs on the caller's task: passes each frame of both bodies on as it is, and records it.
//!
//! Nothing here parses, waits, or takes a contended lock.

mod body;
mod nesting;
mod observer;
mod tap;

pub use self::body::{RequestBody, ResponseBody};
pub(crate) use self::nesting::NestingGuard;
pub(crate) use self::observer::Observer;
pub(crate) use self::tap::Tap;
