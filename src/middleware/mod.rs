//! The layer and the service that it makes.

mod future;
mod layer;
mod service;
mod tracker;

pub use self::future::ResponseFuture;
pub use self::layer::ReconifyLayer;
pub use self::service::Reconify;
