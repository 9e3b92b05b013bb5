//! A Tower layer that reports every interaction with a language model (who asked, in which session,
//! what was asked, what the model answered) to [Reconify](https://www.reconify.com), in the
//! background. It understands the HTTP APIs of OpenAI and compatible servers, Anthropic, Gemini,
//! Bedrock, Cohere, Mistral, Perplexity and Ollama.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::serve::ListenerExt;
//! use axum::{Router, routing::post};
//! use tokio::net::TcpListener;
//! use tower_reconify::{Config, ReconifyLayer};
//!
//! async fn proxy_to_openai() {
//!     // Your handler.
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Reads RECONIFY_APP_KEY, RECONIFY_API_KEY and more.
//!     let reconify = ReconifyLayer::new(Config::from_env()?);
//!     let app = Router::new()
//!         .route("/v1/chat/completions", post(proxy_to_openai))
//!         .layer(reconify.clone());
//!     // Without TCP_NODELAY the events of a stream arrive up to 43 ms late.
//!     let listener = TcpListener::bind("127.0.0.1:3000").await?;
//!     let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
//!     // Without this, `serve` never returns, and queued reports are lost.
//!     let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
//!     axum::serve(listener, app).with_graceful_shutdown(ctrl_c).await?;
//!     // Delivers the queued reports.
//!     reconify.reporter().shutdown(Duration::from_secs(5)).await;
//!     Ok(())
//! }
//! ```
//!
//! - **Transparent.** Callers see the same bytes, frames, headers, trailers, errors and back-pressure
//!   as without the layer. The first event of a stream arrives before the second one exists.
//! - **Out of the way.** The caller's task does no parsing, no I/O and no waiting. A worker on a thread
//!   of its own does the rest. A collector that hangs, refuses or fails adds nothing to any request.
//! - **Accounted.** [`Reporter::stats`] counts every interaction: delivered, rejected, dropped,
//!   withheld, pending or spooled.
//!
//! [`identify`] or a [`User`] in a request's extensions tells who is asking. The same layer watches
//! clients: [`Identity::scope`] tells on whose behalf they call.
//! [`before_send`](ConfigBuilder::before_send) redacts.
//!
//! Prompts, answers, and the user and session that you attach leave the machine for
//! `RECONIFY_ENDPOINT`, by default `https://track.reconify.com`, and nowhere else.
//! `RECONIFY_DISABLED=1` switches the layer off.
//!
//! # Guide
//!
#![doc = include_str!("../docs/README.md")]
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `axum` | yes | the layer [`identify`], and extractors of [`User`], [`Session`], [`Identity`] and [`IdentitySlot`] |
//! | `decompression` | yes | decoding of encoded bodies; without it they are reported by type and length |
//! | `multipart` | yes | the fields of forms (image edits, audio); without it they are reported by type and length |
//! | `reqwest` | yes | the HTTP transport ([`ReconifyLayer::new`], [`with_client`](ReconifyLayer::with_client)) and the layer around reqwest clients, and re-exports `tower_reconify::reqwest`, the version whose `Client` they take; without it reports go through a [transport of the application](ReconifyLayer::with_transport) |
//! | `rustls` | yes | `https` for the HTTP transport (implies `reqwest`); without it, and unless another crate enables TLS in reqwest, only an `http` collector can be reached |
//! | `reqwest-middleware` | no | `reqwest_middleware::Middleware` for [`ReconifyLayer`] (implies `reqwest`) |
//!
//! # Limits
//!
//! Bodies must have [`Bytes`](bytes::Bytes) as their data, as in Axum, hyper, reqwest and
//! `http-body-util`. The inner service gets [`RequestBody`]s. WebSockets are not captured. Inside an
//! axum `nest` the layer sees the path without the prefix: put it around the outermost router. The
//! chapter [Reports](https://docs.rs/tower-reconify/latest/tower_reconify/guide/reports/index.html#limits) has all limits.

// docs.rs names the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budget;
mod capture;
mod codec;
mod config;
mod delivery;
mod error;
mod exchange;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod handoff;
mod id;
mod identity;
mod interaction;
#[cfg(all(test, reconify_loom))]
mod loom_tests;
mod middleware;
mod names;
mod policy;
mod provider;
mod report;
mod reporter;
mod spool;
mod stats;
mod sync;
pub mod testing;
mod translation;
mod transport;
mod unwind;

pub use self::capture::{RequestBody, ResponseBody};
pub use self::config::{
    Config, ConfigBuilder, IdentityHeaders, Limits, Media, Responses, RetryLimits, Spool, Spooling,
};
pub use self::error::Error;
pub use self::identity::{DoNotReport, Identity, IdentitySlot, OmitContent, Scope, Session, Tags, User};
pub use self::interaction::{Interaction, InteractionKind, Outcome, Provider};
/// The version of reqwest whose clients [`ReconifyLayer::with_client`] takes and whose requests
/// [`Reconify`] accepts.
#[cfg(feature = "reqwest")]
pub use ::reqwest;

#[cfg(feature = "reqwest")]
pub use self::middleware::ReqwestFuture;
#[cfg(feature = "axum")]
pub use self::middleware::{Identify, IdentifyLayer, MissingIdentity, identify};
pub use self::middleware::{Reconify, ReconifyLayer, ResponseFuture};
pub use self::provider::operation::Operation;
pub use self::report::{NotAReport, Report};
pub use self::reporter::{FlushSummary, Reporter, ReporterGuard, ShutdownSummary, Undelivered};
pub use self::stats::{DropReason, FailureClass, Metric, Stats, WithholdReason};
pub use self::transport::DeliveryError;
#[cfg(feature = "reqwest")]
pub use self::transport::HttpTransport;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
