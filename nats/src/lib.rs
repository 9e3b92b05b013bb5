#![doc = include_str!("../README.md")]

mod error;
mod forwarder;
mod servers;
mod streams;
mod transport;

pub use async_nats::ConnectOptions;

pub use self::error::Error;
pub use self::forwarder::{Counts, Forwarder, Status};
pub use self::servers::{OLDEST_SERVER, Servers};
pub use self::streams::StreamSettings;
pub use self::transport::NatsTransport;
