//! The worker that sends what was captured, and the handle to it.

mod aside;
mod attempts;
mod clock;
mod deliveries;
mod ending;
mod flush;
mod flushing;
mod handle;
mod job;
mod lineup;
mod prepare;
#[cfg(feature = "spool")]
mod spooler;
#[cfg(not(feature = "spool"))]
#[path = "no_spooler.rs"]
mod spooler;
#[cfg(test)]
mod tests;
mod warnings;
mod worker;

pub use self::flush::{FlushReport, ShutdownReport};
pub use self::handle::Reporter;
