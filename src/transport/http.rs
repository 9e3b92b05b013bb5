//! The HTTP transport: posts reports to Reconify.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body::{Body, Frame, SizeHint};
use reqwest::{Client, Request, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tower::Service;
use uuid::Uuid;

use super::error::{DeliveryError, causes};
use super::response;
use super::tls::Tls;
use crate::config::{Config, Destination, is_this_machine};
use crate::names::LOG;
use crate::report::Report;

/// A host that does not accept a connection within three seconds is down or unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Limits one attempt, from connecting to the end of the response. A healthy collector answers in milliseconds, and
/// a hanging one must not block all deliveries for long.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

const AGENT: &str = concat!("tower-reconify/", env!("CARGO_PKG_VERSION"));

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The default transport: posts each report with reqwest, and adds the keys as it sends.
///
/// [`ReconifyLayer::new`](crate::ReconifyLayer::new) uses it by itself. Use it directly inside a
/// transport of your own, for example for reports that are too large for a broker. An attempt takes
/// at most 10 s. The error is a [`DeliveryError`].
///
/// ```
/// use tower::{Service, service_fn};
/// use tower_reconify::{Config, HttpTransport, ReconifyLayer, Report};
///
/// let config = Config::builder("app-key", "api-key").build()?;
/// if let Some(mut http) = HttpTransport::new(&config) {
///     let transport = service_fn(move |report: Report| {
///         println!("{} bytes", report.json().len());
///         http.call(report)
///     });
///     let layer = ReconifyLayer::with_transport(config, transport);
/// }
/// # Ok::<_, tower_reconify::Error>(())
/// ```
pub struct HttpTransport {
    /// `None` if no client could be created, for example without trusted certificates, or no
    /// request. No validated URL is known that reqwest refuses.
    interactions: Option<Target>,
    uploads: Option<Target>,
    keys: SecretString,
    tls: Arc<Tls>,
}

/// A URL and its client. Whether a proxy is used depends on the URL.
struct Target {
    client: Client,
    url: Url,
    /// All headers of a request, including a placeholder for the id: a clone has no spare capacity.
    headers: HeaderMap,
    /// Set only if the client has no timeout of its own, because a timeout per request allocates a
    /// table.
    timeout: Option<Duration>,
    /// The URL as a response reports it: reqwest removes the user info, and fragments are never
    /// sent.
    asked: Arc<Url>,
}

/// A body of two parts with a known length.
struct TwoParts {
    head: Bytes,
    tail: Bytes,
}

impl HttpTransport {
    /// A transport with clients of its own, to the endpoints of the configuration. `None` if the
    /// configuration is disabled.
    pub fn new(config: &Config) -> Option<Self> {
        let destination = config.destination.clone();
        destination.map(|destination| Self::at(destination, config.concurrent_deliveries))
    }

    /// A transport that uses the application's client; see
    /// [`ReconifyLayer::with_client`](crate::ReconifyLayer::with_client). `None` if the configuration
    /// is disabled.
    pub fn with_client(config: &Config, client: Client) -> Option<Self> {
        config.destination.clone().map(|destination| Self::at_with_client(destination, client))
    }

    /// A transport with its own clients, which keep up to `idle` connections.
    pub(crate) fn at(destination: Destination, idle: usize) -> Self {
        Self::to(destination, |url, is_local| {
            let client = client(is_local, idle)
                .inspect_err(
                    |error| tracing::error!(target: LOG, %error, "no HTTP client can be made: no report will be delivered"),
                )
                .ok()?;
            let mut target = Target::new(client, url)?;
            // Reqwest would add this header after all others.
            target.headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
            Some(target)
        })
    }

    pub(crate) fn at_with_client(destination: Destination, client: Client) -> Self {
        Self::to(destination, |url, _| {
            Some(Target { timeout: Some(ATTEMPT_TIMEOUT), ..Target::new(client.clone(), url)? })
        })
    }

    fn to(destination: Destination, target: impl Fn(Url, bool) -> Option<Target>) -> Self {
        let Destination { app_key, api_key, endpoint, upload_endpoint, .. } = destination;
        let text = |key: &SecretString| Value::from(key.expose_secret()).to_string();
        let keys = format!(r#","appKey":{},"apiKey":{}"#, text(&app_key), text(&api_key)).into();
        let target = |uri: Uri| target(uri.to_string().parse().ok()?, is_this_machine(&uri));
        let (interactions, uploads) = (target(endpoint), target(upload_endpoint));
        Self { interactions, uploads, keys, tls: Tls::of_this_build().into() }
    }

    /// The report with its keys. The body is one that reqwest cannot send twice: if the
    /// application's client follows redirects, reqwest would send a cloneable body to their target.
    fn body(&self, report: &Report) -> reqwest::Body {
        let (head, tail) = report.around_keys();
        let head = [&head, self.keys.expose_secret().as_bytes()].concat();
        reqwest::Body::wrap(TwoParts { head: head.into(), tail })
    }
}

impl Target {
    fn new(client: Client, url: Url) -> Option<Self> {
        let request = client
            .post(url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(AGENT))
            .build()
            .inspect_err(
                |error| tracing::error!(target: LOG, %error, "no request can be made: no report will be delivered"),
            )
            .ok()?;
        let (url, mut headers) = (request.url().clone(), request.headers().clone());
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static(""));
        let mut asked = url.clone();
        asked.set_fragment(None);
        Some(Self { client, url, headers, timeout: None, asked: asked.into() })
    }

    /// `None` is not expected: a UUID is always a valid header value.
    fn request(&self, id: Uuid, body: reqwest::Body) -> Option<Request> {
        let id = HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())).ok()?;
        let mut request = Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers.insert(IDEMPOTENCY_KEY, id);
        if self.timeout.is_some() {
            *request.timeout_mut() = self.timeout;
        }
        *request.body_mut() = Some(body);
        Some(request)
    }
}

fn client(is_local: bool, idle: usize) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT)
        .redirect(redirect::Policy::none())
        // Features that another crate enables in reqwest must neither change the request nor decode
        // the response.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(idle);
    // A proxy would see reports meant for this machine, and could not reach the endpoint.
    if is_local { builder.no_proxy() } else { builder }.build()
}

/// Shows nothing: it holds the keys, and the URLs may contain secrets.
impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").finish_non_exhaustive()
    }
}

impl Service<Report> for HttpTransport {
    type Response = ();
    type Error = DeliveryError;
    type Future = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, report: Report) -> Self::Future {
        let target = if report.is_image_upload() { &self.uploads } else { &self.interactions };
        let request = target.as_ref().and_then(|target| {
            let request = target.request(report.id(), self.body(&report))?;
            let answered = answered(target.client.execute(request), Arc::clone(&target.asked));
            Some((answered, target.url.scheme() == "https" && !self.tls.is_certain()))
        });
        match request {
            Some((answered, false)) => Box::pin(answered),
            Some((answered, true)) => {
                let tls = Arc::clone(&self.tls);
                Box::pin(async move {
                    tls.check().await?;
                    answered.await
                })
            }
            None => Box::pin(std::future::ready(Err(DeliveryError::unsendable()))),
        }
    }
}

impl Body for TwoParts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { head, tail } = &mut *self;
        let part = [head, tail].into_iter().find(|part| !part.is_empty()).map(std::mem::take);
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.head.len() + self.tail.len()) as u64)
    }
}

/// Does not own the report, so that the future takes little memory.
async fn answered(
    posted: impl Future<Output = reqwest::Result<Response>>,
    asked: Arc<Url>,
) -> Result<(), DeliveryError> {
    let response = posted.await.map_err(|error| {
        let failure = match error.is_redirect() {
            // Its causes name the target.
            true => return DeliveryError::rejected(),
            false if is_tls(&error) => DeliveryError::tls(),
            false if error.is_timeout() && !error.is_connect() => DeliveryError::timeout(),
            false => DeliveryError::unreachable(),
        };
        // Its URL may contain secrets.
        failure.with_source(error.without_url())
    })?;
    response::classify(response, &asked).await
}

/// Whether the TLS handshake failed. TLS libraries report that as invalid data of the connection.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut errors = causes(error).filter_map(|error| error.downcast_ref::<io::Error>());
    error.is_connect() && errors.any(is_invalid_data)
}

/// Whether an error, or one that it wraps, is about invalid data.
fn is_invalid_data(error: &io::Error) -> bool {
    let inner = || error.get_ref()?.downcast_ref();
    error.kind() == io::ErrorKind::InvalidData || inner().is_some_and(is_invalid_data)
}

#[cfg(test)]
mod tests;
