//! What `benches/comparisons` shares: bodies of frames, exchanges for the worker, and a plain implementation of what the
//! worker does.

pub mod frames;
pub mod worker;
