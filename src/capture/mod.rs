//! What happens on the caller's task: each frame of both bodies is passed on as it is, and recorded.
//!
//! Nothing here parses, waits, or touches a contended lock.

mod body;
mod guard;
mod nested;
mod recorder;
mod tap;

pub use self::body::{RequestBody, ResponseBody};
pub(crate) use self::guard::Capture;
pub(crate) use self::nested::within;
pub(crate) use self::tap::Tap;
