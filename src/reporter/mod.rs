//! The worker that sends what was captured, and the handle to it.

mod deliveries;
mod flush;
mod handle;
mod prepare;
mod warnings;
mod worker;

pub use self::flush::{FlushReport, ShutdownReport};
pub use self::handle::Reporter;
