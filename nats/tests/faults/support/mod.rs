//! Servers, collectors, publishers and forwarders.

pub(crate) mod collector;
pub(crate) mod forwarder;
pub(crate) mod publisher;
pub(crate) mod server;
pub(crate) mod tally;

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// Whether faults run for long, on three nodes and five times.
pub(crate) fn is_long() -> bool {
    std::env::var_os("RECONIFY_NATS_LONG").is_some()
}

/// The duration of an outage.
pub(crate) fn outage(long: u64) -> Duration {
    Duration::from_secs(if is_long() { long } else { 5 })
}

/// How often each fault is tried.
pub(crate) fn runs() -> u32 {
    if is_long() { 5 } else { 1 }
}

/// Waits until a condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let limit = Instant::now() + Duration::from_secs(if is_long() { 300 } else { 60 });
    while !holds().await {
        assert!(Instant::now() < limit, "in vain: {what}");
        pause(50).await;
    }
}

pub(crate) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// A port that nobody uses at the moment.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Sends SIGTERM.
pub(crate) async fn terminate(child: &Child) {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
}
