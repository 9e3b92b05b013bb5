//! The collector as a program.

mod lines;
mod settings;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use reconify_collector::Collector;
use tokio::net::TcpListener;

use crate::lines::Lines;
use crate::settings::Settings;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        None => run(),
        Some("--help" | "-h" | "help") => {
            print!("{}", settings::help());
            Ok(())
        }
        Some("--version" | "-V") => {
            println!("reconify-collector {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Some(other) => Err(format!("there is no argument {other:?}: --help lists the settings").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reconify-collector: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (lines, written) = Lines::start(std::io::stdout())?;
    let served = runtime.block_on(serve(settings, &lines));
    // What still runs is cut off: a search, a hanging fault.
    runtime.shutdown_timeout(Duration::from_millis(200));
    if served.is_ok() {
        lines.print("stopped");
    }
    drop(lines);
    written.wait();
    served
}

async fn serve(settings: Settings, lines: &Lines) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(&settings.address).await.map_err(|error| {
        format!(
            "COLLECTOR_ADDR is {:?}, which cannot be listened on ({error}): use a free one like 127.0.0.1:0",
            settings.address
        )
    })?;
    let mut address = listener.local_addr()?;
    // No browser can ask for what means every address.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let collector = settings.collector(lines)?;
    let stop = stop_signal()?;
    lines.print(&format!("page:      http://{address}/"));
    lines.print(&format!("reports:   RECONIFY_ENDPOINT=http://{address}/track"));
    let stopper = collector.clone();
    tokio::spawn(async move {
        stop.await;
        stopper.stop();
    });
    Collector::serve(&collector, listener).await?;
    Ok(())
}

/// Completes at SIGINT and SIGTERM.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Completes at Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
