//! Threads of the process, counted and watched: a binary of its own, because other tests have workers too.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod idle;
mod lifetime;
#[path = "../support/mod.rs"]
mod support;
