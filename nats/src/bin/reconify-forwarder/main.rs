//! Forwards reports from JetStream to Reconify. `reconify-forwarder --help` lists the settings.

mod endpoints;
mod settings;

use std::process::ExitCode;

use reconify_nats::Forwarder;
use tower_reconify::Reporter;

use self::settings::{Settings, help};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {}
        ["--help" | "-h"] => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        ["--version" | "-V"] => {
            println!("reconify-forwarder {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("reconify-forwarder takes its settings from the environment; see --help");
            return ExitCode::from(2);
        }
    }
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Settings(problem)) => {
            eprintln!("reconify-forwarder: {problem}");
            ExitCode::from(2)
        }
        Err(Failure::Running(error)) => failed(&error),
    }
}

enum Failure {
    Settings(String),
    Running(String),
}

async fn run() -> Result<(), Failure> {
    let settings = Settings::read(std::env::var::<&'static str>).await.map_err(Failure::Settings)?;
    let running = |error: &dyn std::fmt::Display| Failure::Running(error.to_string());
    // Before anything else, so that a signal during the start is not lost.
    let stop = stop().map_err(|error| running(&error))?;
    let Settings { servers, streams, config, slots, grace, listen } = settings;
    let forwarder = Forwarder::new(servers, streams, Reporter::new(config)).slots(slots).grace(grace);
    if let Some(address) = listen {
        let served = endpoints::serve(address, forwarder.status()).await;
        served.map_err(|error| Failure::Running(format!("cannot listen on {address}: {error}")))?;
    }
    forwarder.run(stop).await.map_err(|error| running(&error))
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("reconify-forwarder: {error}");
    ExitCode::FAILURE
}

/// Resolves at SIGTERM, or at SIGINT (Ctrl-C).
#[cfg(unix)]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
