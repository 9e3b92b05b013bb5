//! What the benchmarks of the caller's task share.

pub mod drive;
// Not from the library: across crates the compiler inlines less, and the counts are higher.
#[path = "../../src/frames.rs"]
pub mod frames;
pub mod scenario;
