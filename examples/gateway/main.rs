//! A gateway in front of OpenAI that reports every interaction to Reconify.
//!
//! ```text
//! cargo run --example gateway
//! ```
//!
//! Without any settings it brings its own simulated OpenAI and its own collector. The README lists the settings.
//!
//! Besides `/v1/*`, which it forwards, it serves `/metrics` (the layer's counts for Prometheus) and `/healthz`.

mod identity;
mod proxy;
mod samples;
mod settings;
#[path = "../simulated/mod.rs"]
mod simulated;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower_reconify::{ReconifyLayer, Reporter, identify};

use crate::settings::Settings;

/// How long running exchanges may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(3);

/// How long what is queued may take to be delivered after that.
const DELIVERY: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::INFO).init();
    // What is simulated runs apart from the gateway: the collector has to outlive it.
    let simulation = Runtime::new()?;
    let settings = Settings::from_env(&simulation)?;
    let gateway = Runtime::new()?;
    let reporter = gateway.block_on(run(settings))?;

    // This drops whatever still runs after the grace: it is reported with as much as was answered.
    gateway.shutdown_timeout(Duration::from_millis(500));
    let report = simulation.block_on(reporter.shutdown(DELIVERY));
    if !report.is_complete() {
        println!("not delivered: {} dropped, {} unfinished", report.dropped, report.exchanges_open);
    }
    println!("final counts: {}", reporter.stats());
    Ok(())
}

async fn run(settings: Settings) -> Result<Reporter, Box<dyn Error>> {
    let reconify = ReconifyLayer::new(settings.reconify.clone());
    let reporter = reconify.reporter();
    let app = Router::new()
        .route("/v1/{*path}", any(proxy::forward))
        .with_state(proxy::Upstream::new(settings.upstream.clone())?)
        .layer(reconify.clone())
        // Added last, so it runs first: the layer finds the user in the request.
        .layer(identify::<identity::Caller>())
        // Added after the layers, so they do not pass them.
        .route("/metrics", get(async move || metrics(&reporter)))
        .route("/healthz", get("ok"));

    let listener = TcpListener::bind(&settings.listen).await.map_err(|error| {
        format!(
            "LISTEN_ADDR is {:?}, which cannot be listened on ({error}): use a free one like 127.0.0.1:0",
            settings.listen
        )
    })?;
    let address = listener.local_addr()?;
    let stop = stop_signal()?;
    settings.describe();
    println!("listening on http://{address}");

    let (stopping, mut stopped) = watch::channel(false);
    // Without TCP_NODELAY the events of a stream arrive up to 43 ms late.
    let server = axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app)
        .with_graceful_shutdown(async move {
            stop.await;
            let _ = stopping.send(true);
        });
    let server = tokio::spawn(async move { server.await });
    if settings.is_all_simulated() {
        tokio::spawn(samples::send(address));
    }
    let _ = stopped.wait_for(|stopped| *stopped).await;
    println!("stopping: running exchanges have {} s", GRACE.as_secs());
    match tokio::time::timeout(GRACE, server).await {
        Ok(ended) => ended??,
        Err(_) => println!("cutting off what still runs"),
    }
    Ok(reconify.reporter())
}

/// The counts in Prometheus' text format.
fn metrics(reporter: &Reporter) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], reporter.stats().prometheus())
}

/// Ends with Ctrl-C, or with SIGTERM where there is one. Both are listened for from this call on.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
