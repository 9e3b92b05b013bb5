//! What the worker's benchmarks share: the exchanges, how they pass the layer, and what a plain implementation does.

pub(crate) mod exchanges;
pub(crate) mod passing;
pub(crate) mod plain;
