//! A local stand-in for Reconify's endpoints, with a page that shows every report.
//!
//! An application can embed it:
//!
//! ```no_run
//! use reconify_collector::Collector;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let collector = Collector::builder().strict(true).build();
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! println!("page: http://{}/", listener.local_addr()?);
//! collector.serve(listener).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The binary of the same name does so too, with settings from the environment (`--help` lists them).
//! `openapi.json` describes the API.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod collector;
mod events;
mod faults;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guard;
mod intake;
mod json;
mod page;
mod shared;
pub mod store;
mod text;
mod time;
mod view;
mod wire;

pub use self::collector::{Collector, CollectorBuilder, ServeError};
#[cfg(feature = "sqlite")]
pub use self::store::SqliteStore;
pub use self::store::{Capacity, MemoryStore, Store};
pub use self::wire::Field;
