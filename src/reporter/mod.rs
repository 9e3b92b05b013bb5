//! The worker that sends what was captured, and the handle to it.

mod clock;
mod handle;
#[cfg(feature = "spool")]
mod spooler;
#[cfg(not(feature = "spool"))]
#[path = "no_spooler.rs"]
mod spooler;
mod summary;
#[cfg(test)]
mod tests;
mod worker;

pub use self::handle::Reporter;
pub use self::summary::{FlushReport, ShutdownReport};
