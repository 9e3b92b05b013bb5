//! A Tower layer that watches any service speaking the OpenAI HTTP API, and reports every interaction (who asked, in
//! which session, what was asked, what the model answered) to [Reconify](https://www.reconify.com), in the background.

mod budget;
mod capture;
mod config;
mod delivery;
mod endpoint;
mod error;
mod exchange;
mod identity;
mod interaction;
mod middleware;
mod queue;
mod report;
mod reporter;
mod stats;

pub use self::capture::{RequestBody, ResponseBody};
pub use self::config::{Config, ConfigBuilder};
pub use self::delivery::DeliveryError;
pub use self::endpoint::Endpoint;
pub use self::error::Error;
pub use self::exchange::Outcome;
pub use self::identity::{Session, User};
pub use self::interaction::{Interaction, InteractionKind};
pub use self::middleware::{Reconify, ReconifyLayer, ResponseFuture};
pub use self::report::Report;
pub use self::reporter::{FlushReport, Reporter, ShutdownReport};
pub use self::stats::{DropReason, Stats, WithholdReason};
