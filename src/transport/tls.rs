//! Whether `https` endpoints can be reached at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use reqwest::Client;
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::sync::OnceCell;

use super::error::DeliveryError;
use crate::names::LOG;

/// Whether reqwest has TLS, as far as known.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    is_available: OnceCell<bool>,
    is_told: AtomicBool,
}

impl Tls {
    /// The feature `rustls` of this crate enables TLS. Without it another crate of the build may do
    /// so, which is checked when the first report needs TLS.
    pub(crate) fn of_this_build() -> Self {
        if cfg!(feature = "rustls") { Self::known(true) } else { Self::default() }
    }

    pub(crate) fn known(is_available: bool) -> Self {
        Self { is_available: OnceCell::new_with(Some(is_available)), is_told: AtomicBool::new(false) }
    }

    pub(crate) fn is_certain(&self) -> bool {
        self.is_available.get() == Some(&true)
    }

    /// Fails if there is no TLS, and logs that once. This check must precede the attempt: without
    /// TLS reqwest sends a request for an `https` URL to an HTTP proxy in the clear, with keys and
    /// content.
    pub(crate) async fn check(&self) -> Result<(), DeliveryError> {
        if *self.is_available.get_or_init(has_tls).await {
            return Ok(());
        }
        if !self.is_told.swap(true, Relaxed) {
            tracing::error!(target: LOG, "reports for an https endpoint are dropped, because this build has no TLS: enable the feature `rustls` of \
                 tower-reconify"
            );
        }
        Err(DeliveryError::unsendable())
    }
}

/// Requests an `https` URL whose host cannot be resolved. Without TLS reqwest refuses the scheme
/// before it resolves the host.
async fn has_tls() -> bool {
    let nowhere = Arc::new(Nowhere::default());
    match Client::builder().no_proxy().dns_resolver(Arc::clone(&nowhere)).build() {
        Ok(client) => {
            drop(client.get("https://tls.invalid/").send().await);
            nowhere.is_asked.load(Relaxed)
        }
        // Only a client with TLS can fail to build.
        Err(_) => true,
    }
}

/// A resolver that knows no host.
#[derive(Default)]
struct Nowhere {
    is_asked: AtomicBool,
}

impl Resolve for Nowhere {
    fn resolve(&self, _: Name) -> Resolving {
        self.is_asked.store(true, Relaxed);
        Box::pin(std::future::ready(Err("no host is known".into())))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use hyper_util::client::legacy::Client as HyperClient;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;
    use tower::service_fn;

    use super::*;

    /// Tests are built with reqwest's TLS, whatever the features of this crate.
    #[tokio::test]
    async fn tls_that_another_crate_of_the_build_enables_is_found() {
        assert!(has_tls().await);
        let tls = Tls::default();
        assert!(!tls.is_certain());
        assert_eq!(tls.check().await, Ok(()));
        assert!(tls.is_certain());
        assert_eq!(Tls::of_this_build().is_certain(), cfg!(feature = "rustls"));
    }

    /// Uses the connector that reqwest has without TLS.
    #[tokio::test]
    async fn a_connector_without_tls_refuses_https_before_it_looks_up_the_host() {
        let asked = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&asked);
        let resolver = service_fn(move |_| {
            noted.store(true, Relaxed);
            std::future::ready(Ok::<_, Infallible>(std::iter::empty()))
        });
        let client = HyperClient::builder(TokioExecutor::new())
            .build::<_, Body>(HttpConnector::new_with_resolver(resolver));
        let get = |url: &'static str| client.get(http::Uri::from_static(url));
        assert!(get("https://tls.invalid/").await.is_err());
        assert!(!asked.load(Relaxed));
        assert!(get("http://tls.invalid/").await.is_err());
        assert!(asked.load(Relaxed));
    }
}
