//! A gateway in front of model providers that reports every interaction to Reconify.
//!
//! ```text
//! cargo run --example gateway
//! ```
//!
//! Without any settings it brings its own simulated providers and its own collector, whose page shows what is reported.
//! Its README lists the settings.
//!
//! Besides the providers' paths, which it forwards, it serves `/metrics` (the layer's counts for Prometheus),
//! `/healthz` and `/readyz`.

mod answers;
mod apis;
mod bounds;
mod client;
mod headers;
mod identity;
mod layers;
mod logs;
mod page;
mod proxy;
mod samples;
mod settings;
#[path = "../simulated/mod.rs"]
mod simulated;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower::ServiceExt;
use tower_reconify::{ReconifyLayer, Reporter, identify};

use crate::apis::Api;
use crate::proxy::Upstream;
use crate::settings::Settings;

/// How long the delivery of the queue may take at the end.
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
    logs::start(settings::text("LOG_FORMAT")?.as_deref(), settings::text("RUST_LOG")?.as_deref())?;
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
    let _ = settings.reporter.set(reporter.clone());
    let client = client::http_client()?;
    let forwarders: Arc<[Forwarder]> = settings
        .bases
        .iter()
        .map(|(api, base)| {
            let (base, client, patience) = (base.clone(), client.clone(), settings.patience);
            forwarder(&reconify, Upstream { api, base, client, patience })
        })
        .collect();
    let forwarded = Router::new()
        .fallback(async move |request| forward(&forwarders, request).await)
        // It runs before the layers of the forwarders, which find the user in the request.
        .layer(identify::<identity::Caller>());
    let (stopping, mut stopped) = watch::channel(false);
    let is_stopping = stopped.clone();
    let app = layers::around(forwarded, settings.bounds.clone())
        // Added after the layers, so they do not pass them.
        .route("/metrics", get(async move || metrics(&reporter)))
        .route("/healthz", get("ok"))
        .route("/readyz", get(async move || readiness(*is_stopping.borrow())));

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

    // Without TCP_NODELAY the events of a stream arrive up to 43 ms late.
    let server = axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app)
        .with_graceful_shutdown(async move {
            stop.await;
            let _ = stopping.send(true);
            // Load balancers that ask for the readiness send nothing any more when the listener closes.
            tokio::time::sleep(settings.drain).await;
        });
    let server = tokio::spawn(async move { server.await });
    if settings.is_all_simulated() {
        tokio::spawn(samples::send(address));
    }
    let _ = stopped.wait_for(|stopped| *stopped).await;
    println!("stopping: running exchanges have {} s", (settings.drain + settings.grace).as_secs());
    match tokio::time::timeout(settings.drain + settings.grace, server).await {
        Ok(ended) => ended??,
        Err(_) => println!("cutting off what still runs"),
    }
    Ok(reconify.reporter())
}

/// An API, and what forwards and reports its requests.
type Forwarder = (&'static Api, MethodRouter);

fn forwarder(reconify: &ReconifyLayer, upstream: Upstream) -> Forwarder {
    let api = upstream.api;
    // No request to this gateway has the host of a provider, so the layer has to know the provider.
    let layer = reconify.for_provider(api.provider);
    (api, any(proxy::forward).layer(layer).with_state(upstream))
}

async fn forward(forwarders: &[Forwarder], request: Request) -> Response {
    if let Some(answer) = proxy::not_implemented(&request) {
        return answer;
    }
    let owns = |(api, _): &&Forwarder| (api.owns)(request.method(), request.uri().path());
    match forwarders.iter().find(owns) {
        Some((_, forwarder)) => forwarder.clone().oneshot(request).await.into_response(),
        None => proxy::not_forwarded(&request),
    }
}

/// The counts in Prometheus' text format.
fn metrics(reporter: &Reporter) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], reporter.stats().prometheus())
}

/// Tells load balancers whether to send requests here.
fn readiness(is_stopping: bool) -> (StatusCode, &'static str) {
    if is_stopping { (StatusCode::SERVICE_UNAVAILABLE, "stopping") } else { (StatusCode::OK, "ready") }
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
