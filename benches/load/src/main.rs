//! A gateway under load: without a layer, with the layer of this crate, and with what others do in its place.
//!
//! ```text
//! cargo run --release --manifest-path benches/load/Cargo.toml [half] [saturated]
//! ```
//!
//! Upstream, collector and gateway are processes of their own, on this machine, at ports that the system chooses. Both
//! parts run unless one is named. `LOAD_ROUNDS` (default 3) and `LOAD_SECONDS` (default 2) say how often and how long.
//! All of them, and the load, share the cores: compare the figures of one run with each other only.

mod child;
mod collector;
mod gateway;
mod half;
mod load;
mod posting;
mod saturated;
mod spawning;
mod table;
mod upstream;

use std::process::ExitCode;
use std::time::Duration;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// How many connections the load has to the gateway.
pub(crate) const CONNECTIONS: usize = 64;

/// How often and how long is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: u64,
    pub(crate) time: Duration,
    pub(crate) warm_up: Duration,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Error> {
    // A connection a report adds up, with a collector that hangs.
    rlimit::increase_nofile_limit(1 << 16)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["upstream"] => upstream::run(),
        ["collector", health] => collector::run(health.parse()?),
        ["gateway", variant, upstream, collector, room] => {
            gateway::run(variant.parse()?, upstream.parse()?, collector.parse()?, *room == "roomy")
        }
        parts => measure(parts),
    }
}

fn measure(parts: &[&str]) -> Result<(), Error> {
    if let Some(unknown) = parts.iter().find(|part| !["half", "saturated"].contains(part)) {
        return Err(format!("{unknown} is none of: half, saturated").into());
    }
    let is_asked = |part| parts.is_empty() || parts.contains(&part);
    let plan = Plan {
        rounds: setting("LOAD_ROUNDS", 3)?,
        time: Duration::from_secs(setting("LOAD_SECONDS", 2)?),
        warm_up: Duration::from_millis(500),
    };
    if is_asked("saturated") {
        saturated::measure(plan)?;
    }
    if is_asked("half") {
        half::measure(plan)?;
    }
    Ok(())
}

fn setting(name: &str, default: u64) -> Result<u64, Error> {
    let Ok(value) = std::env::var(name) else { return Ok(default) };
    match value.parse() {
        Ok(number) if (1..=1_000).contains(&number) => Ok(number),
        _ => Err(format!("{name} is {value:?}, which is no number from 1 to 1000").into()),
    }
}
