//! Faults, against a real nats-server and a collector that fails in every way. `.ci/nats` runs these
//! tests: one node and short outages by default, three nodes, longer outages and five runs with
//! `.ci/nats long`.
//!
//! Every test counts exactly. They start servers, forwarders and publishers as processes, so they wait
//! for conditions with deadlines; no assertion depends on how long something takes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod collector_fails;
mod forwarders;
mod publishers;
mod refusals;
mod servers_fail;
mod sizes;
mod support;
