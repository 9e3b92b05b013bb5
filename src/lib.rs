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
//! # Transparency
//!
//! Requests and responses pass frame by frame, with the same bytes, headers, trailers, size hints,
//! errors and back-pressure. The layer copies the bodies as they pass. The caller's task does no
//! parsing, no I/O and no waiting: when both bodies have ended, one push hands them to a worker on a
//! thread of its own. A collector that hangs, refuses or fails adds nothing to any request.
//!
//! The layer captures `POST`s whose path ends in `/chat/completions` or in `/images/generations`,
//! `/images/edits` or `/images/variations`, and those to `/v1/completions` and `/v1/responses`, under
//! any prefix. It recognises the requests of other providers by their paths; those that applications
//! have too need the provider's host or header besides. [`Operation`] has the exact rules. [`ConfigBuilder::capture`] selects other operations,
//! [`ConfigBuilder::route`] declares routes with other names, and [`ReconifyLayer::for_provider`]
//! makes a layer for the routes that lead to one provider. All other requests pass untouched.
//!
//! # Who is asking
//!
//! A [`User`], a [`Session`] and [`Tags`] belong to a request. There are several ways to set them;
//! the first that applies wins, separately for user and session:
//!
//! | precedence | way | where |
//! | --- | --- | --- |
//! | 1 | [`IdentitySlot`] | inside the handler, until the response has ended; the last value wins |
//! | 2 | the request's extensions: [`User`], [`Session`], [`Tags`] ([`Identity::insert_into`] sets all of them) | any middleware; [`identify`] with an extractor of the application, or with `Extension<CurrentUser>` and [`map`](IdentifyLayer::map) |
//! | 3 | `x-reconify-` headers, if [allowed](ConfigBuilder::identity_headers) | trusted callers; every client could set them |
//! | 4 | [`Identity::scope`], a task-local | calls made while a request is handled; [`identify`] opens one, `identify::<Identity>()` from what a middleware has put into the extensions |
//!
//! The session and tags of one user are never combined with another user.
//!
//! ```
//! use axum::extract::FromRequestParts;
//! use axum::http::{StatusCode, request::Parts};
//! use axum::{Router, routing::post};
//! use tower_reconify::{Config, Identity, ReconifyLayer, User, identify};
//!
//! struct Claims { subject: String } // the application's own extractor
//!
//! impl<S: Sync> FromRequestParts<S> for Claims {
//!     type Rejection = StatusCode;
//!
//!     async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
//!         Ok(Self { subject: "user-42".into() })
//!     }
//! }
//!
//! impl From<Claims> for Identity {
//!     fn from(claims: Claims) -> Self {
//!         User::new(claims.subject).authenticated(true).into()
//!     }
//! }
//!
//! let reconify = ReconifyLayer::new(Config::builder("app-key", "api-key").build()?);
//! let app: Router = Router::new()
//!     .route("/v1/chat/completions", post(async || "an answer"))
//!     .layer(reconify)
//!     .layer(identify::<Claims>());
//! # Ok::<_, tower_reconify::Error>(())
//! ```
//!
//! If the extractor rejects a request, the rejection is the response. For an optional login use
//! `identify::<Option<Claims>>()` (axum's `OptionalFromRequestParts`), or name the rejections that
//! mean "not logged in" with [`anonymous_if`](IdentifyLayer::anonymous_if).
//!
//! A scope also applies while the body of the response is streamed. Task-locals do not cross
//! `tokio::spawn`: pass [`Identity::current`] along. A [`reqwest::Request`] has no extensions, so
//! only scope and headers apply to it.
//!
//! # What is left out
//!
//! | to leave out | use |
//! | --- | --- |
//! | a request | [`DoNotReport`] in its extensions |
//! | the content of a request | [`OmitContent`] in its extensions |
//! | all calls in a scope, or their content | [`Identity::do_not_report`], [`Identity::omit_content`] |
//! | a part of all sessions | [`ConfigBuilder::sample`] |
//! | texts, fields or interactions that a hook selects | [`ConfigBuilder::before_send`] |
//! | base64 images, audio and files | [`ConfigBuilder::media`] |
//!
//! Interactions that are not reported are counted as [withheld](Stats::withheld).
//!
//! # Around an HTTP client
//!
//! A [`Reconify`] service accepts `http::Request`s (hyper's clients, Axum, any service of Tower) and,
//! with the feature `reqwest`, [`reqwest::Request`]s. With the feature `reqwest-middleware`,
//! [`ReconifyLayer`] is a `reqwest_middleware::Middleware`.
//!
//! ```no_run
//! use tower::{Service, ServiceBuilder};
//! use tower_reconify::{Config, Identity, ReconifyLayer, User, reqwest};
//!
//! # async fn ask(request: reqwest::Request) -> Result<(), Box<dyn std::error::Error>> {
//! let reconify = ReconifyLayer::new(Config::from_env()?);
//! let mut openai = ServiceBuilder::new().layer(reconify.clone()).service(reqwest::Client::new());
//! let response = Identity::from(User::new("user-42")).scope(openai.call(request)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Put the layer outside a retry layer to report one interaction per call, with the last response.
//! Inside a retry layer it reports one interaction per attempt; failed attempts are reported only
//! with [`report_failures`](ConfigBuilder::report_failures).
//!
//! If a request passes through two layers with its extensions, the outer one reports it. Calls made
//! while a request is handled are exchanges of their own, unless
//! [`outermost_only`](ConfigBuilder::outermost_only) is set.
//!
//! # What is reported
//!
//! One interaction per exchange, however it ended:
//!
//! | [`Outcome`] | the exchange | reported |
//! | --- | --- | --- |
//! | `Answered` | had a successful response that was read to its end, or a stream that was read to its terminal event (`[DONE]`, the last finish reason, or the provider's own) | yes |
//! | `Interrupted` | had a response that broke off, or a stream that contained an error or lacked its terminal event | yes, with everything that had arrived |
//! | `Abandoned` | was cancelled by its caller before or during the response | yes, with everything that had arrived |
//! | `Refused` | had a response with another status, or with nothing but an error | with a success status yes; otherwise only with [`report_failures`](ConfigBuilder::report_failures), or counted as withheld |
//! | `Failed` | had no response: the inner service returned an error | as `Refused` |
//!
//! With [`metadata`](ConfigBuilder::metadata) a report contains the outcome, the status, times and
//! more.
//!
//! - Request and response are the JSON that crossed the wire, unchanged, in the format that Reconify
//!   has for the [`Provider`]. A stream is reported as the object that the call would have returned
//!   without streaming.
//! - A few formats want more than the body: the model that Gemini, Bedrock and Anthropic on Vertex AI
//!   have in the path, earlier turns with Gemini as `history`, and Bedrock's bodies in the field
//!   `body`. The [pages of the
//!   providers](https://docs.rs/crate/tower-reconify/latest/source/docs/providers/README.md) show
//!   reports and limits.
//! - The Responses API is reported as a chat, because Reconify documents no type for it
//!   ([`Responses`]).
//! - Images in responses of OpenAI are removed from the report and uploaded separately, unless
//!   [`Media`] leaves them out. Those of other providers stay in the report. Forms are reported by their fields, and files by name, type and size.
//! - Encoded bodies (gzip, deflate, br, zstd) are decoded for the report.
//! - A body that is not JSON is reported by type and length. So is one that takes too much work to
//!   read.
//! - If a body breaks off or is longer than [`Limits::body_bytes`], its complete parts are reported,
//!   with `truncated`. Missing fields that consoles expect, such as `messages`, `prompt` and
//!   `choices`, are added as empty values.
//! - Invalid UTF-8 becomes U+FFFD, and bare `NaN` and `Infinity` become strings. Stream events that
//!   cannot be read are skipped. [`Stats`] counts all of this.
//!
//! # When the collector does not answer
//!
//! Reports wait in a queue with limits on items and bytes. Beyond the limits the newest report is
//! dropped; the exchange itself is never affected. Up to 32 reports are posted at once. Each attempt
//! has 3 s to connect and 10 s in total.
//!
//! | event | reaction |
//! | --- | --- |
//! | connection error, timeout, 408, 425, 429, or 5xx except 501 and 505 (including those of proxies and CDNs: 507, 520 to 530) | the report is retried with the same bytes and `idempotency-key`, after a random pause of up to 0.5 s, doubling to 60 s, for up to [`RetryLimits::attempts`] |
//! | a response with `Retry-After` (seconds or a date) | nothing is sent for that time, up to 300 s; it costs no attempt |
//! | five different reports fail in a row | one probe at a time, with the same pauses and a different report each time; it costs no attempt. The first success ends this, and each further success allows one more concurrent attempt |
//! | 401, 403 | one probe after 5 s, doubling to 60 s; every report is kept. Once keys have been accepted, three reports in a row must fail: a single one may be refused for its content, and is given up after its attempts |
//! | any other status, including redirects, or a success whose JSON reports an error in its first 64 KiB | the report is rejected |
//! | an `https` endpoint in a build without TLS, or no HTTP client can be created | one error in the log; reports are dropped without an attempt ([`DropReason::Unsendable`]), including those on disk |
//! | a failed report is older than [`RetryLimits::age`] | it is given up |
//!
//! Redirects are not followed, unless by a [client of the
//! application](ReconifyLayer::with_client); keys and reports are never sent to their target.
//! Loopback addresses are reached directly, others through the system's proxy (`HTTPS_PROXY`,
//! `NO_PROXY`). For other proxies, a private certificate authority or mutual TLS use
//! [`ReconifyLayer::with_client`].
//!
//! [`Reporter::stats`] accounts for every interaction. Reports in memory are lost when the process
//! ends, so call [`Reporter::shutdown`] first, and use a spool if that is not enough.
//!
//! With a [`Spool`] (`RECONIFY_SPOOL`) reports go to disk while the collector accepts none, if they
//! fill more than half of the budget, and in the second half of a shutdown; or, with
//! [`Spooling::Always`], before they are first sent. They are delivered by this process or by the
//! next one that uses the folder and the same app key, with the same ids. After a crash the reports
//! of one segment, 1 MiB, may be sent twice.
//!
//! # In operation
//!
//! [`docs/OPERATIONS.md`](https://docs.rs/crate/tower-reconify/latest/source/docs/OPERATIONS.md)
//! has all of this in detail, with a table of symptoms.
//!
//! **Log.** The library logs with `tracing`, target `tower_reconify`, and never logs content or keys:
//!
//! | level | lines |
//! | --- | --- |
//! | `ERROR` | this process cannot send reports at all |
//! | `WARN` | an outage begins; reports are lost, at most once a minute; a shutdown left reports undelivered, and why |
//! | `INFO` | the start; the first accepted report; reports of an earlier process; the end of an outage |
//! | `DEBUG` | a line per report; the cause of each failed attempt; the paths of JSON `POST`s that are not captured, at most 32 |
//!
//! **Metrics.** [`Stats::prometheus`] has the counts as Prometheus' text, and the alerts to set up;
//! [`Stats::metrics`] has them for other systems.
//!
//! **At the end of a program** a server calls [`Reporter::shutdown`]. A `main` that can end through
//! `?` binds a [guard](Reporter::guard) at its top: `let _guard = …`, because `let _ = …` drops it at
//! once. [`std::process::exit`] skips the guard: call [`Reporter::shutdown_blocking`] first.
//!
//! **In tests** of the application the layer is [`testing::recording`]: nothing leaves the process,
//! and the test looks at who was reported with what
//! ([`docs/TESTING.md`](https://docs.rs/crate/tower-reconify/latest/source/docs/TESTING.md)).
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
//! `http-body-util`. The inner service gets [`RequestBody`]s; its documentation says how to put the
//! layer around a service that takes another type. WebSockets are not captured. The result of a background response is fetched
//! with `GET /responses/{id}`, which is not captured either.
//!
//! Inside an axum `nest` the layer sees the path without the prefix. Below `nest("/v1/chat", …)` a
//! chat is `/completions`: it is reported as a chat because it has messages and no prompt, or declare
//! it with `route("/completions", Operation::Chat)`. A route `/` cannot be recognised, and
//! `/responses` of a nested application of your own can be mistaken. Put the layer around the
//! outermost router.

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

#[cfg(doctest)]
#[doc = include_str!("../docs/TESTING.md")]
struct Testing;

#[cfg(doctest)]
#[doc = include_str!("../docs/OPERATIONS.md")]
struct Operations;
