//! The page, in a real browser. `.ci/browser` installs one and runs these tests.

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod driver;
mod looks;
mod operation;
mod samples;
mod talks;
