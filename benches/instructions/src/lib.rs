//! What the benchmarks that count instructions share, and `benches/comparisons` with them: exchanges, how they are
//! driven, and a plain implementation of what the worker does.

pub mod drive;
pub mod frames;
pub mod scenario;
pub mod worker;
