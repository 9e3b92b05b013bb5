use std::fmt;

use tower::{BoxError, Layer, Service};

use super::service::Reconify;
use super::tracker::Tracker;
use crate::config::{CaptureOptions, Config};
use crate::provider::operation::Operations;
use crate::report::Report;
use crate::reporter::Reporter;
use crate::transport::HttpTransport;

/// A Tower layer that reports the interactions that pass through a service to Reconify.
///
/// Clones are cheap and share one reporter, as do all services that they make. Making a layer does no I/O and needs no
/// runtime: it starts one thread, which does everything that is not recording. The thread ends when the last clone,
/// service, body and [`Reporter`] is gone (what is queued then is still sent, for up to five seconds, in the
/// background), or with [`Reporter::shutdown`].
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_reconify::{Config, ReconifyLayer};
///
/// let reconify = ReconifyLayer::new(Config::builder("app-key", "api-key").build()?);
/// let app: Router = Router::new()
///     .route("/v1/chat/completions", post(async || "an answer"))
///     .layer(reconify.clone());
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone)]
pub struct ReconifyLayer {
    reporter: Reporter,
    tracker: Tracker,
}

impl ReconifyLayer {
    /// A layer that posts its reports over HTTP, to the endpoint of the configuration.
    pub fn new(config: Config) -> Self {
        match &config.destination {
            Some(destination) => {
                let destination = destination.clone();
                Self::start(config, || HttpTransport::new(destination))
            }
            None => Self::with(Reporter::disabled(), Operations::default(), config.capturing),
        }
    }

    /// A layer that posts its reports through a client of the application's: with its proxies, certificates and identity.
    ///
    /// | what | whose it is |
    /// | --- | --- |
    /// | keys, `content-type`, `user-agent`, `idempotency-key` | the layer's, whatever the client's default headers are |
    /// | 10 s for an attempt, from its beginning to the end of the answer | the layer's, whatever the client's timeout is |
    /// | 64 KiB of an answer are read | the layer's |
    /// | proxies, for addresses on this machine too | the client's |
    /// | nothing for an `https` endpoint without TLS in reqwest | the layer's |
    /// | time to connect, TLS, DNS, pooled connections, further default headers | the client's |
    /// | redirects | the client's |
    ///
    /// Better let it follow no redirects ([`Policy::none`](reqwest::redirect::Policy::none)). A client that follows them
    /// asks the other address by `GET`, or not at all: neither keys nor report go there, since the body can be sent once
    /// only; the endpoint's URL may, as `referer`. Whatever the other address answers, the report is rejected. A redirect to the very same address cannot be told from
    /// an answer to the report.
    ///
    /// Give it a client of its own: connections are opened on the layer's thread, and end with it.
    ///
    /// ```
    /// use tower_reconify::{Config, ReconifyLayer};
    ///
    /// # fn build() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = reqwest::Client::builder()
    ///     .proxy(reqwest::Proxy::all("http://proxy.internal:3128")?)
    ///     .redirect(reqwest::redirect::Policy::none())
    ///     .build()?;
    /// let layer = ReconifyLayer::with_client(Config::builder("app-key", "api-key").build()?, client);
    /// # Ok(())
    /// # }
    /// # build().unwrap();
    /// ```
    pub fn with_client(config: Config, client: reqwest::Client) -> Self {
        match config.destination.clone() {
            Some(destination) => Self::start(config, || HttpTransport::with_client(destination, client)),
            None => Self::new(config),
        }
    }

    /// A layer whose reports leave through a service of the application's: a broker, a file, a test.
    ///
    /// The configuration's keys and endpoints are then not used. An error that is, or whose box holds, a
    /// [`DeliveryError`](crate::DeliveryError) says whether to try again; any other error is tried again.
    ///
    /// Its futures are polled on the layer's thread, in a Tokio runtime with a clock and I/O, up to 32 of them in one task: one that
    /// blocks holds up the others.
    ///
    /// ```
    /// use tower::service_fn;
    /// use tower_reconify::{Config, ReconifyLayer, Report};
    ///
    /// let config = Config::builder("app-key", "api-key").build()?;
    /// let layer = ReconifyLayer::with_transport(
    ///     config,
    ///     service_fn(async |report: Report| {
    ///         println!("{}", report.json());
    ///         Ok::<_, std::io::Error>(())
    ///     }),
    /// );
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    pub fn with_transport<S>(config: Config, transport: S) -> Self
    where
        S: Service<Report> + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        if config.is_disabled() {
            return Self::new(config);
        }
        Self::start(config, || transport)
    }

    fn start<S>(config: Config, transport: impl FnOnce() -> S + Send + 'static) -> Self
    where
        S: Service<Report> + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let (operations, capturing) = (config.operations.clone(), config.capturing);
        Self::with(Reporter::start(config, transport), operations, capturing)
    }

    fn with(reporter: Reporter, operations: Operations, capturing: CaptureOptions) -> Self {
        let tracker = Tracker::new(reporter.sender().cloned(), operations, capturing);
        Self { reporter, tracker }
    }

    pub(super) fn tracker(&self) -> Tracker {
        self.tracker.clone()
    }

    /// The reporter that all clones of this layer share.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }
}

impl<S> Layer<S> for ReconifyLayer {
    type Service = Reconify<S>;

    fn layer(&self, inner: S) -> Reconify<S> {
        Reconify::new(inner, self.tracker())
    }
}

impl fmt::Debug for ReconifyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconifyLayer").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}
