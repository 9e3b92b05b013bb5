//! The collector as its users meet it: over HTTP.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api;
mod delivery;
mod guarding;
mod hostile;
mod schema;
mod sessions;
mod support;
