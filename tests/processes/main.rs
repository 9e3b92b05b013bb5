//! The examples as processes. A binary of its own, because it needs their binaries: cargo builds them for a run of all
//! tests, but not for a run of `--test it`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod client;
mod examples;
#[cfg(unix)]
mod gateway;
#[cfg(unix)]
mod headers;
mod layers;
#[cfg(unix)]
mod production;
#[cfg(unix)]
mod programs;
#[cfg(unix)]
mod routing;
#[path = "../support/mod.rs"]
mod support;
