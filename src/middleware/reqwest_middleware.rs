use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::layer::ReconifyLayer;
use super::reqwest::{ReqwestFuture, begin};
use crate::identity::IdentitySlot;

/// A middleware for `reqwest_middleware::ClientBuilder::with`, and so for any code that takes such
/// a client.
///
/// Requests and responses are treated as they are around a plain reqwest client. The identity comes
/// from the extensions of the request (`RequestBuilder::with_extension`), else from the
/// [scope](crate::Identity::scope) of the call or from
/// [headers](crate::ConfigBuilder::identity_headers). Added before a retry middleware, the layer
/// reports one interaction, with the last response; added after it, one per attempt.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tower_reconify::{Config, ReconifyLayer, User};
///
/// let reconify = ReconifyLayer::new(Config::builder("app-key", "api-key").build()?);
/// let client = ClientBuilder::new(reqwest::Client::new()).with(reconify.clone()).build();
/// let request = client
///     .post("https://api.openai.com/v1/chat/completions")
///     .with_extension(User::new("user-42"));
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[async_trait::async_trait]
impl Middleware for ReconifyLayer {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let is_passed_on = extensions.get::<IdentitySlot>().is_some_and(IdentitySlot::is_taken);
        let mut attempt = AttemptGuard { extensions, is_passed_on };
        let (observer, tracks_nesting) = begin(&self.tracker, &mut request, attempt.extensions);
        // The outer exchange may have ended in the meantime.
        attempt.is_passed_on &= observer.is_empty();
        ReqwestFuture::new(next.run(request, attempt.extensions), observer, tracks_nesting).await
    }
}

/// One attempt. Its slot is removed at the end, even if it is cancelled, because a retry with the
/// same extensions is a new exchange.
struct AttemptGuard<'a> {
    extensions: &'a mut Extensions,
    /// An outer layer captures it.
    is_passed_on: bool,
}

impl Drop for AttemptGuard<'_> {
    fn drop(&mut self) {
        if !self.is_passed_on {
            self.extensions.remove::<IdentitySlot>();
        }
    }
}
