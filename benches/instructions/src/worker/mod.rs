//! What the worker's benchmarks share: the exchanges, how they pass the layer, and what a plain implementation does.

pub mod exchanges;
pub mod passing;
pub mod plain;
