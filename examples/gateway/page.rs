//! The local collector with its page, which shows each report and what became of all others.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tower_reconify::{DropReason, Reporter, WithholdReason};

use crate::simulated::collector;

/// The first of the ports that are tried.
const PORT: u16 = 8788;

/// Serves the page, at the given address or on the first free port, for as long as the runtime lives.
pub(crate) async fn start(
    address: Option<String>,
    reporter: Arc<OnceLock<Reporter>>,
) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = match &address {
        Some(address) => TcpListener::bind(address).await.map_err(|error| {
            format!(
                "COLLECTOR_ADDR is {address:?}, which cannot be listened on ({error}): use a free one like 127.0.0.1:0"
            )
        })?,
        None => first_free().await?,
    };
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(format!("COLLECTOR_ADDR is {address}, which other machines can reach: the demo keys protect nothing, so use `cargo run -p reconify-collector` there").into());
    }
    let collector = collector::builder().stats(move || reporter.get().map_or(Value::Null, counts)).build();
    println!("page: http://{address}/");
    tokio::spawn(async move { collector.serve(listener).await });
    Ok(address)
}

async fn first_free() -> io::Result<TcpListener> {
    for port in PORT..PORT + 100 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound,
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// What became of all interactions, with the reasons that occurred.
fn counts(reporter: &Reporter) -> Value {
    let stats = reporter.stats();
    let dropped = DropReason::ALL.iter().map(|reason| (reason.to_string(), stats.dropped(*reason)));
    let withheld = WithholdReason::ALL.iter().map(|reason| (reason.to_string(), stats.withheld(*reason)));
    json!({
        "captured": stats.captured,
        "delivered": stats.delivered,
        "rejected": stats.rejected,
        "dropped": stats.dropped_total(),
        "withheld": stats.withheld_total(),
        "pending": stats.pending,
        "spooled": stats.spooled,
        "droppedBy": occurred(dropped),
        "withheldBy": occurred(withheld),
        "retried": stats.retried,
        "truncated": stats.truncated,
        "skippedEvents": stats.skipped_events,
        "lastFailure": stats.last_failure.map(|failure| failure.to_string()),
    })
}

fn occurred(counts: impl Iterator<Item = (String, u64)>) -> Map<String, Value> {
    counts.filter(|(_, count)| *count > 0).map(|(reason, count)| (reason, count.into())).collect()
}
