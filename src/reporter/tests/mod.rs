//! The whole worker, on a paused clock.

mod conservation;
pub(in crate::reporter) mod harness;
pub(in crate::reporter) mod logging;
mod outages;
mod starvation;
