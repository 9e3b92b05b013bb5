//! What the comparisons share: exchanges, what stands around them, and rounds of measurements.

pub mod exchange;
pub mod rounds;
pub mod variants;
