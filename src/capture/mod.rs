//! What happens on the caller's task: each frame of both bodies is passed on as it is, and recorded.
//!
//! Nothing here parses, waits, or touches a contended lock.

mod body;
mod nesting;
mod observer;
mod tap;

pub use self::body::{RequestBody, ResponseBody};
pub(crate) use self::nesting::NestingGuard;
pub(crate) use self::observer::Observer;
pub(crate) use self::tap::Tap;
