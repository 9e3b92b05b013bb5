use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::layer::ReconifyLayer;
use super::reqwest::{ReqwestFuture, begin};
use crate::identity::IdentitySlot;

/// A layer is a middleware for `reqwest_middleware::ClientBuilder::with`, and with that for whatever takes such a client.
///
/// It treats requests and responses as it does around a plain reqwest client. Who is asking comes from the extensions of the
/// request (`RequestBuilder::with_extension`), else from the [scope](crate::Identity::scope) of the call or from
/// [headers](crate::ConfigBuilder::identity_headers). Added before a retry middleware it reports one interaction, with
/// the last answer; after it, one an attempt.
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
        let mut attempt = Attempt { extensions, is_passed_on };
        let (observer, tracks_nesting) = begin(&self.tracker(), &mut request, attempt.extensions);
        // The exchange further out may just have ended.
        attempt.is_passed_on &= observer.is_empty();
        ReqwestFuture::new(next.run(request, attempt.extensions), observer, tracks_nesting).await
    }
}

/// One attempt: whoever broke it off may make another with the same extensions, which is an exchange of its own.
struct Attempt<'a> {
    extensions: &'a mut Extensions,
    /// A layer further out captures it.
    is_passed_on: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_passed_on {
            self.extensions.remove::<IdentitySlot>();
        }
    }
}
