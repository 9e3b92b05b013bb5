//! The worker that delivers interactions, and the handle to it.

mod clock;
mod guard;
mod handle;
pub(crate) mod spooling;
mod summary;
#[cfg(test)]
mod tests;
mod undelivered;
mod worker;

pub use self::guard::ReporterGuard;
pub use self::handle::Reporter;
pub use self::summary::{FlushSummary, ShutdownSummary};
pub use self::undelivered::Undelivered;
