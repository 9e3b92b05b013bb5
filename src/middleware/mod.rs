//! The layer and its service.

mod future;
#[cfg(feature = "axum")]
mod identify;
mod layer;
mod reqwest;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
mod service;
mod tracker;

pub use self::future::ResponseFuture;
#[cfg(feature = "axum")]
pub use self::identify::{Identify, IdentifyLayer, MissingIdentity, identify};
pub use self::layer::ReconifyLayer;
pub use self::reqwest::ReqwestFuture;
pub use self::service::Reconify;
