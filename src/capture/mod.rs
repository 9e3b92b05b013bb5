//! What happens on the caller's task: each frame of both bodies is passed on as it is, and recorded.
//!
//! Nothing here parses, waits, or touches a contended lock.

mod begin;
mod body;
mod nested;
mod tap;

pub(crate) use self::begin::Capture;
pub use self::body::{RequestBody, ResponseBody};
pub(crate) use self::nested::Within;
pub(crate) use self::tap::Tap;
