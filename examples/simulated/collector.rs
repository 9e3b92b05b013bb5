//! The collector of this repository, in the process of the example. It prints a line for each report.

use std::io;
use std::net::SocketAddr;

use reconify_collector::{Collector, CollectorBuilder};
use tokio::net::TcpListener;

pub(crate) const APP_KEY: &str = "demo-app-key";
pub(crate) const API_KEY: &str = "demo-api-key";

/// A collector that refuses a report with a field that Reconify does not know.
pub(crate) fn builder() -> CollectorBuilder {
    Collector::builder().strict(true).keys(APP_KEY, API_KEY).print(|line| println!("{line}"))
}

/// Serves on a free port, for as long as the runtime lives.
#[allow(dead_code, reason = "the gateway shows its page, on a port that one can remember")]
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { builder().build().serve(listener).await });
    Ok(address)
}
