//! The whole worker, on a paused clock.

mod conservation;
mod deliveries;
pub(in crate::reporter) mod harness;
pub(in crate::reporter) mod logging;
mod outages;
mod starvation;
