use std::fmt;

use tower::{BoxError, Layer, Service};

use super::service::Reconify;
use super::tracker::Tracker;
use crate::config::{Config, Destination};
use crate::delivery::Transport;
use crate::provider::Provider;
use crate::report::Report;
use crate::reporter::Reporter;
#[cfg(feature = "reqwest")]
use crate::transport::HttpTransport;

/// A Tower layer that reports the interactions passing through a service to Reconify.
///
/// Clones are cheap. They share one reporter, and so do all services made by them.
///
/// Making a layer does no I/O and needs no runtime. It starts one thread, which does all work
/// except recording. The thread ends with [`Reporter::shutdown`], or when the last clone, service,
/// body and [`Reporter`] is dropped; queued reports are then still sent in the background, for up
/// to five seconds.
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
    pub(super) tracker: Tracker,
}

impl ReconifyLayer {
    /// A layer that sends its reports over HTTP to the endpoint of the configuration.
    #[cfg(feature = "reqwest")]
    pub fn new(config: Config) -> Self {
        let idle = config.concurrent_deliveries;
        Self::start(config, true, move |destination| HttpTransport::at(destination, idle))
    }

    /// A layer that sends its reports through the application's HTTP client, with its proxies,
    /// certificates and identity.
    ///
    /// | setting | decided by |
    /// | --- | --- |
    /// | keys, `content-type`, `user-agent`, `idempotency-key` | the layer, whatever the client's default headers are |
    /// | 10 s per attempt, from its start to the end of the response | the layer, whatever the client's timeout is |
    /// | at most 64 KiB of a response are read | the layer |
    /// | proxies, also for local addresses | the client |
    /// | no requests to an `https` endpoint without TLS in reqwest | the layer |
    /// | connect timeout, TLS, DNS, connection pool, further default headers | the client |
    /// | redirects | the client |
    ///
    /// The client should follow no redirects ([`Policy::none`](reqwest::redirect::Policy::none)). A
    /// client that follows them sends a `GET` to the other address, or nothing. Neither keys nor
    /// report go there, because the body can be sent only once; the endpoint's URL may go there as
    /// `referer`. The report is rejected, whatever the other address responds. A redirect to the
    /// very same address cannot be told from a response to the report.
    ///
    /// Use a separate client: connections are opened on the layer's thread, and close with it.
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
    #[cfg(feature = "reqwest")]
    pub fn with_client(config: Config, client: reqwest::Client) -> Self {
        Self::start(config, true, |destination| HttpTransport::at_with_client(destination, client))
    }

    /// A layer that sends its reports through a service of the application, such as a broker, a
    /// file or a test.
    ///
    /// The keys and endpoints of the configuration are not used. An error that is a
    /// [`DeliveryError`](crate::DeliveryError), or a box of one, decides whether the report is
    /// retried. Any other error is retried.
    ///
    /// Up to 32 of its futures
    /// ([`concurrent_deliveries`](crate::ConfigBuilder::concurrent_deliveries)) are polled in one task
    /// on the layer's thread, in a Tokio runtime with time and I/O enabled. A future that blocks
    /// delays the others.
    ///
    /// # Writing a transport
    ///
    /// - Limit the time of each attempt. Only [`HttpTransport`](crate::HttpTransport) has a limit of its
    ///   own; a future that never ends keeps its place forever.
    /// - Connect with the first report, inside of its future, and again once the connection is lost. A
    ///   client made on the application's runtime ends with that runtime. Do not let a client queue
    ///   reports while it is disconnected: return
    ///   [`unreachable`](crate::DeliveryError::unreachable), and the layer holds them.
    /// - Return the [`DeliveryError`](crate::DeliveryError) of the cause. After `unreachable`, `timeout` and
    ///   `unavailable` of several reports the layer probes with one report at a time;
    ///   `rejected` is final, and concerns one report only.
    /// - Send [`Report::id`] along, and let the receiver recognise it: after a timeout the same report
    ///   comes again.
    /// - `Ok` means that the receiver has the report. [`Stats::delivered`](crate::Stats::delivered)
    ///   counts that, so with a broker it does not mean that Reconify has it.
    /// - Image data follows its interaction as reports of its own
    ///   ([`is_image_upload`](Report::is_image_upload)). Behind a broker it may overtake it.
    /// - A [`Report`] contains no keys. A process that only publishes needs no valid API key: pass any
    ///   text, such as `not-needed-to-publish`. Give it the real app key, which names the
    ///   spool's folder. The program that takes the reports from the broker has both keys and uses
    ///   [`Report::from_stored`] and [`Reporter::deliver`].
    /// - With a broker, [`Spooling::WhenNeeded`](crate::Spooling::WhenNeeded) bridges the time in which
    ///   it is away. `Always` gains nothing.
    ///
    /// The crate `reconify-nats` is such a transport for NATS JetStream.
    ///
    /// A file of JSON Lines:
    ///
    /// ```
    /// use std::fs::File;
    /// use std::io::Write;
    /// use std::sync::Arc;
    ///
    /// use tower::service_fn;
    /// use tower_reconify::{Config, ReconifyLayer, Report};
    ///
    /// # fn layer(path: &std::path::Path) -> Result<ReconifyLayer, Box<dyn std::error::Error>> {
    /// let file = Arc::new(File::options().create(true).append(true).open(path)?);
    /// let append = service_fn(move |report: Report| {
    ///     let file = Arc::clone(&file);
    ///     // An error is retried.
    ///     async move { (&*file).write_all(format!("{}\n", report.json_line()).as_bytes()) }
    /// });
    /// let config = Config::builder("app-key", "not-needed").build()?;
    /// let layer = ReconifyLayer::with_transport(config, append);
    /// # Ok(layer)
    /// # }
    /// ```
    pub fn with_transport<S>(config: Config, transport: S) -> Self
    where
        S: Service<Report> + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self::start(config, false, |_| transport)
    }

    fn start<S: Transport + 'static>(
        config: Config,
        is_http: bool,
        transport: impl FnOnce(Destination) -> S + Send + 'static,
    ) -> Self {
        let (operations, capturing) = (config.operations.clone(), config.capturing);
        let reporter = Reporter::of(config, is_http, transport);
        let tracker = Tracker::new(reporter.sender().cloned(), operations, capturing);
        Self { reporter, tracker }
    }

    /// A layer for requests that all go to one provider. It shares the reporter and the settings of
    /// this one.
    ///
    /// Several providers have the same paths, and applications have some of them too. Around a
    /// client, the host of a request tells the provider. A route of a server does not, so it needs
    /// this layer for Mistral, Perplexity, Cohere and Ollama.
    ///
    /// Every path of the provider is captured on any host, and in the provider's format, if its
    /// operation is [captured](crate::ConfigBuilder::capture) at all. Other paths are treated as
    /// before.
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use tower_reconify::{Config, Provider, ReconifyLayer};
    ///
    /// let reconify = ReconifyLayer::new(Config::builder("app-key", "api-key").build()?);
    /// let to_mistral: Router = Router::new()
    ///     .route("/v1/chat/completions", post(async || "an answer"))
    ///     .layer(reconify.for_provider(Provider::Mistral));
    /// let app: Router = Router::new().nest("/mistral", to_mistral);
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn for_provider(&self, provider: Provider) -> Self {
        Self { reporter: self.reporter.clone(), tracker: self.tracker.for_provider(provider) }
    }

    /// The reporter shared by all clones of this layer.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }
}

impl<S> Layer<S> for ReconifyLayer {
    type Service = Reconify<S>;

    fn layer(&self, inner: S) -> Reconify<S> {
        Reconify { inner, tracker: self.tracker.clone() }
    }
}

impl fmt::Debug for ReconifyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconifyLayer").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}
