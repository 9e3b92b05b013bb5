//! A Tower layer that watches any service speaking the OpenAI HTTP API, and reports every interaction (who asked, in
//! which session, what was asked, what the model answered) to [Reconify](https://www.reconify.com), in the background.
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
//!     let reconify = ReconifyLayer::new(Config::from_env()?); // RECONIFY_APP_KEY, RECONIFY_API_KEY, …
//!     let app = Router::new()
//!         .route("/v1/chat/completions", post(proxy_to_openai))
//!         .layer(reconify.clone());
//!     // Without TCP_NODELAY the events of a stream arrive up to 43 ms late.
//!     let listener = TcpListener::bind("127.0.0.1:3000").await?.tap_io(|stream| drop(stream.set_nodelay(true)));
//!     // Without a signal to end on, `serve` never returns, and the reports still queued would be lost.
//!     axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
//!     reconify.reporter().shutdown(Duration::from_secs(5)).await; // delivers what is queued
//!     Ok(())
//! }
//! ```
//!
//! # What it does to traffic
//!
//! Nothing that can be seen. Requests and responses pass frame by frame, with the same bytes, headers, trailers, size
//! hints, errors and back-pressure; a copy is kept as they pass. `POST`s whose path ends in `/chat/completions`,
//! or in `/images/generations`, `edits` or `variations`, and those to `/v1/completions` and `/v1/responses` are captured, whatever the
//! prefix ([`Operation`] has the rules). So are those of further endpoints if [asked for](ConfigBuilder::capture), and those of [declared routes](ConfigBuilder::route); everything else is only looked at
//! once. The caller's task does no parsing, no I/O and no waiting: when both bodies have ended, one push hands them to a
//! worker on a thread of its own. A Reconify that hangs, refuses or fails adds nothing to any request.
//!
//! # Who is asking
//!
//! A [`User`], a [`Session`] and [`Tags`] belong to a request. They are looked for in its extensions, where any middleware can
//! put them; [`identify`] puts them there with an extractor of the application; an [`IdentitySlot`] takes them from inside a
//! handler, until the response has ended. What is said last wins.
//!
//! ```
//! use axum::extract::FromRequestParts;
//! use axum::http::{StatusCode, request::Parts};
//! use axum::{Router, routing::post};
//! use tower_reconify::{Config, Identity, ReconifyLayer, User, identify};
//!
//! struct Claims { subject: String } // the application's own extractor
//! # impl<S: Sync> FromRequestParts<S> for Claims {
//! #     type Rejection = StatusCode;
//! #     async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
//! #         Ok(Self { subject: "user-42".into() })
//! #     }
//! # }
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
//! If the extractor rejects a request, the rejection is the response. For an optional login use `identify::<Option<Claims>>()`
//! (axum's `OptionalFromRequestParts`), or name the rejections that mean "not logged in" with
//! [`anonymous_if`](IdentifyLayer::anonymous_if).
//!
//! A call to OpenAI that a handler makes through a layer on the way out has the identity of the request that is handled:
//! `identify` opens a [scope](Identity::scope) for it, which also holds while the body of the response is streamed.
//! [`Identity::current`] carries it into a spawned task. A user or session that the outgoing request carries itself comes
//! first; neither session nor tags of one user go with another. With `reqwest` requests only scope and headers count:
//! nobody sees their extensions. Headers mean nothing unless a
//! [setting](ConfigBuilder::identity_headers) says otherwise: whoever sends a request could forge them.
//!
//! What is not to be reported: a request with [`DoNotReport`] in its extensions, the content of one with [`OmitContent`],
//! sessions that are not in the [sample](ConfigBuilder::sample), and what a [hook](ConfigBuilder::before_send) redacts or
//! leaves out. What is not reported at all is counted as withheld. An [`Identity`] can ask for the same for all calls in its
//! [scope](Identity::do_not_report).
//!
//! # On the way out
//!
//! A [`Reconify`] service takes `http::Request`s (hyper's clients, Axum, anything of tower's) and [`reqwest::Request`]s
//! (reqwest, and whatever takes a service around it). With the feature `reqwest-middleware` a [`ReconifyLayer`] is a
//! `reqwest_middleware::Middleware`.
//!
//! ```no_run
//! use tower::{Service, ServiceBuilder};
//! use tower_reconify::{Config, Identity, ReconifyLayer, User};
//!
//! # async fn ask(request: reqwest::Request) -> Result<(), Box<dyn std::error::Error>> {
//! let reconify = ReconifyLayer::new(Config::from_env()?);
//! let mut openai = ServiceBuilder::new().layer(reconify.clone()).service(reqwest::Client::new());
//! let response = Identity::from(User::new("user-42")).scope(openai.call(request)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Where calls are retried, a layer outside of the retries reports one interaction, with the last answer; inside of them it
//! reports one an attempt, the refused ones as [failures](ConfigBuilder::report_failures). Outside is what most want.
//!
//! A request that is passed on with its extensions from one layer to another is reported once, by the outer one. Calls
//! that are made while a request is handled are exchanges of their own, unless only the
//! [outermost](ConfigBuilder::outermost_only) are wanted.
//!
//! # What is reported
//!
//! One interaction an exchange, however it ended:
//!
//! | [`Outcome`] | the exchange | reported |
//! | --- | --- | --- |
//! | `Answered` | was answered with a success, which was read to its end, or of a stream to its terminal event, `[DONE]` or the last finish reason | yes |
//! | `Interrupted` | had an answer that broke off, or a stream that ended without one of these, or carried an error | yes, with all that had arrived |
//! | `Abandoned` | was left by its caller, before or during the answer | yes, with all that had arrived |
//! | `Refused` | was answered with another status than a success, or with an error and nothing else | with a success status yes; else only with [`report_failures`](ConfigBuilder::report_failures), or counted as withheld |
//! | `Failed` | had no answer: the inner service returned an error | likewise |
//!
//! With [`metadata`](ConfigBuilder::metadata) a report says which of them it was, and more.
//!
//! Request and response are the JSON that crossed the wire, letter by letter. A stream is reported as the object that the
//! unstreamed call would have returned. The Responses API is reported as a chat, since Reconify documents no type for it
//! ([`Responses`] has the other ways). Images that are answered as data, by the Responses API and in chats too, are taken out of the
//! answer and posted by themselves, unless [`Media`] leaves them out; forms are reported by their fields, files by name,
//! type and size. Encoded bodies (gzip, deflate, br, zstd) are decoded for the report. A body that
//! is no JSON is reported by its type and length. Of one that breaks off, or is longer than
//! [`max_body_bytes`](ConfigBuilder::max_body_bytes), what is complete is reported, marked `truncated`. An empty `messages`,
//! `prompt` or `choices` stands where it is missing, since consoles reach for those. Bytes that are no UTF-8 become U+FFFD,
//! and a bare `NaN` or `Infinity` becomes a string. The answer to a
//! request whose body the service never read is reported with what had been read of it. Events of a stream that cannot be
//! read are passed over. A body that takes too much work to read is reported by its type and length. [`Stats`] counts reports
//! that were cut short or mended, bodies that took too much work or had codings that could not be undone, and events that
//! were passed over.
//!
//! # When the collector does not answer
//!
//! Reports wait in a queue that is bounded in items and in bytes; beyond that the newest is dropped, never the exchange.
//! Up to 32 are posted at once, each attempt with 3 s to connect and 10 s in all.
//!
//! | what happens | what is done |
//! | --- | --- |
//! | connection error, timeout, 408, 425, 429, and 5xx but for 501 and 505 (those of proxies and CDNs, like 507 and 520 to 530, too) | the report is tried again after a pause of 0.5 s doubling to 60 s (drawn evenly from zero to that), with the same bytes and `idempotency-key`, up to [`max_attempts`](ConfigBuilder::max_attempts) |
//! | the answer has a `Retry-After` (seconds or a date) | nothing at all is sent for so long, up to 300 s; it costs no attempt |
//! | five different reports in a row fail | one probe at a time, with the same pauses, by another report each time; it costs no attempt. The first success ends it, and lets one more through with each further one |
//! | 401, 403 | one probe after 5 s, doubling to 60 s; every report is kept. Once keys have been accepted it takes three reports in a row: a single one may be refused for what is in it, and is given up after its attempts |
//! | any other status, redirects too, and a success whose JSON says otherwise in its first 64 KiB | the report is rejected |
//! | the endpoint is `https` and the build has no TLS, or no HTTP client can be made | one error in the log; the reports are dropped without an attempt ([`DropReason::Unsendable`]), those on disk too |
//! | a report fails that is older than [`max_age`](ConfigBuilder::max_age) | it is given up |
//!
//! Redirects are not followed, unless by a [client of yours](ReconifyLayer::with_client), and neither keys nor reports ever go
//! where they lead. Loopback addresses are reached without a proxy, others through that of the system
//! (`HTTPS_PROXY`, `NO_PROXY`); for another one, a private certificate authority or mutual TLS there is
//! [`ReconifyLayer::with_client`].
//!
//! [`Reporter::stats`] accounts for every interaction; the log (`tracing`) has a warning when an episode begins, one when it
//! ends, and one a minute at the most while reports are lost, with counts and never with content. What is queued lives in
//! memory: what is not delivered when the process ends is lost, so call [`Reporter::shutdown`], and turn on the spool if
//! that is not enough.
//!
//! With a spool folder ([`ConfigBuilder::spool`], `RECONIFY_SPOOL`) reports go to disk while the collector takes
//! none, beyond half of the budget, and in the second half of a shutdown; or all of them before they are first sent
//! ([`Spooling::Always`]). They are then delivered by this process, or by the next one that uses the folder and the same app key, with
//! the same ids. After a crash the reports of one segment, 1 MiB, may be sent a second time.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `axum` | yes | the layer [`identify`], and extractors of [`User`], [`Session`], [`Identity`] and [`IdentitySlot`] |
//! | `decompression` | yes | decoding of encoded bodies; without it they are reported by type and length |
//! | `rustls` | yes | `https` for the default transport; without it, and unless another crate enables TLS in `reqwest`, only an `http` collector, or [a transport of your own](ReconifyLayer::with_transport), can be reached |
//! | `reqwest-middleware` | no | `reqwest_middleware::Middleware` for [`ReconifyLayer`] |
//!
//! # Limits
//!
//! Bodies have [`Bytes`](bytes::Bytes) as their data, as with Axum, hyper, reqwest and `http-body-util`. WebSockets are
//! not captured. The answer to a background response is fetched with `GET /responses/{id}`, which is not captured either.
//!
//! Inside of an axum `nest` the layer sees the path without the prefix. Below `nest("/v1/chat", …)` a chat is `/completions`: it
//! is reported as a chat because it has messages and no prompt, or declare it with `route("/completions", Operation::Chat)`. A
//! route `/` cannot be recognised, and `/responses` of a nested application of your own can be mistaken. Put the layer around
//! the outermost router.

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
mod policy;
mod provider;
mod report;
mod reporter;
mod spool;
mod stats;
mod sync;
mod translation;
mod transport;
mod unwind;

pub use self::capture::{RequestBody, ResponseBody};
pub use self::config::{Config, ConfigBuilder, IdentityHeaders, Media, Responses, Spooling};
pub use self::error::Error;
pub use self::identity::{DoNotReport, Identity, IdentitySlot, OmitContent, Scope, Session, Tags, User};
pub use self::interaction::{Interaction, InteractionKind, Outcome, Provider};
#[cfg(feature = "axum")]
pub use self::middleware::{Identify, IdentifyLayer, MissingIdentity, identify};
pub use self::middleware::{Reconify, ReconifyLayer, ReqwestFuture, ResponseFuture};
pub use self::provider::operation::Operation;
pub use self::report::Report;
pub use self::reporter::{FlushSummary, Reporter, ShutdownSummary};
pub use self::stats::{DropReason, FailureClass, Stats, WithholdReason};
pub use self::transport::DeliveryError;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
