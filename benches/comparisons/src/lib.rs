//! What the comparisons share: exchanges, what stands around them, and rounds of measurements.

pub mod apart;
pub mod exchange;
pub mod polled;
pub mod rounds;
pub mod variants;
