use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::context::{ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::timeout;
use tower::Service;
use tower_reconify::{DeliveryError, HttpTransport, Report};

use crate::servers::Servers;
use crate::streams::DEFAULT_SUBJECT;

/// How long one publish waits for JetStream's acknowledgement. A healthy cluster answers within
/// milliseconds.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a waiting publish looks whether there still is a connection.
const LOOK: Duration = Duration::from_millis(100);

/// How often a client that has lost its connection tries to connect. The transport takes a new
/// client at once; the old one may still hold publishes, and must give up before the deduplication
/// window ends.
const RECONNECTS: usize = 30;

/// A transport that publishes reports to a JetStream stream. A report counts as delivered once
/// JetStream has acknowledged it.
///
/// Making it does no I/O. It connects with the first report, and nothing is sent while it is
/// disconnected: reports wait in the layer's memory or spool. Each report is published under its id
/// (`Nats-Msg-Id`), so that JetStream stores a retried report once.
///
/// The keys of the layer's configuration are not sent, so a process that only publishes needs no
/// valid API key.
///
/// ```
/// use reconify_nats::{NatsTransport, Servers};
/// use tower_reconify::{Config, ReconifyLayer};
///
/// let config = Config::builder("app-key", "not-needed-to-publish").build()?;
/// let nats = NatsTransport::new(Servers::new("nats://localhost:4222")?);
/// let layer = ReconifyLayer::with_transport(config, nats);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// | at NATS | the layer sees | and |
/// | --- | --- | --- |
/// | no server reached, or disconnected | `unreachable` | holds all reports, and probes every 0.5 to 60 s |
/// | no acknowledgement within 2 s | `timeout` | the same |
/// | stream missing or full, no leader, server too old | `unavailable` | the same |
/// | wrong credentials | `unauthorized` | holds all reports, and probes every 5 to 60 s |
/// | report too large for the server or the stream | `rejected`, or what [`or_directly`](Self::or_directly) returns | counts it |
///
/// A publish without the permission for its subject is not answered, so it is a `timeout`.
pub struct NatsTransport {
    servers: Servers,
    subject: String,
    partitions: u128,
    direct: Option<Arc<Mutex<HttpTransport>>>,
    connection: Option<Connecting>,
}

/// One attempt to connect, shared by all reports that wait for it.
type Connecting = Shared<BoxFuture<'static, Result<Connection, DeliveryError>>>;

#[derive(Clone)]
struct Connection {
    client: Client,
    jetstream: jetstream::Context,
}

impl NatsTransport {
    /// A transport that publishes to `reconify.reports.0`.
    pub fn new(servers: Servers) -> Self {
        Self { servers, subject: DEFAULT_SUBJECT.to_owned(), partitions: 1, direct: None, connection: None }
    }

    /// Sets the beginning of the subject, without the number at its end. Default:
    /// `reconify.reports`.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets the number of subjects, from `reconify.reports.0` on, over which reports are spread by
    /// their ids. Default: 1. Use more if one stream is not fast enough, and give each stream some of
    /// the subjects. Zero counts as one.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = u128::from(partitions.max(1));
        self
    }

    /// Posts reports that are too large for NATS to Reconify. Without it they are rejected, and
    /// counted in [`Stats::rejected`](tower_reconify::Stats::rejected). This needs valid keys in the
    /// configuration of the HTTP transport.
    ///
    /// ```
    /// use reconify_nats::{NatsTransport, Servers};
    /// use tower_reconify::{Config, HttpTransport};
    ///
    /// let config = Config::builder("app-key", "api-key").build()?;
    /// let mut nats = NatsTransport::new(Servers::new("nats://localhost:4222")?);
    /// if let Some(http) = HttpTransport::new(&config) {
    ///     nats = nats.or_directly(http);
    /// }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn or_directly(mut self, http: HttpTransport) -> Self {
        self.direct = Some(Arc::new(Mutex::new(http)));
        self
    }

    /// The current connection. A new one, if there is none or it was lost: that also finds out why,
    /// which the client's own attempts do not tell.
    fn connection(&mut self) -> Connecting {
        let is_usable = |connecting: &Connecting| match connecting.peek() {
            None => true,
            Some(Ok(connection)) => connection.client.connection_state() == State::Connected,
            Some(Err(_)) => false,
        };
        let usable = self.connection.take().filter(is_usable);
        let connection = usable.unwrap_or_else(|| {
            let servers = self.servers.clone();
            let connect = async move {
                let client = servers.connect(Some(RECONNECTS)).await?;
                let jetstream = ContextBuilder::new().ack_timeout(ACK_TIMEOUT).build(client.clone());
                Ok(Connection { client, jetstream })
            };
            connect.boxed().shared()
        });
        self.connection.insert(connection).clone()
    }
}

impl Service<Report> for NatsTransport {
    type Response = ();
    type Error = DeliveryError;
    type Future = BoxFuture<'static, Result<(), DeliveryError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, report: Report) -> Self::Future {
        let subject = format!("{}.{}", self.subject, report.id().as_u128() % self.partitions);
        let (connection, direct) = (self.connection(), self.direct.clone());
        Box::pin(async move {
            let connection = connection.await?;
            let error = match connection.publish(subject, &report).await? {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match direct {
                Some(http) if is_too_large(&error) => {
                    let posted = http.lock().unwrap_or_else(PoisonError::into_inner).call(report);
                    posted.await
                }
                _ => Err(classified(error)),
            }
        })
    }
}

impl Connection {
    /// Publishes, and waits for the acknowledgement. The outer error means that the connection was
    /// lost meanwhile.
    async fn publish(
        &self,
        subject: String,
        report: &Report,
    ) -> Result<Result<(), PublishError>, DeliveryError> {
        let message = PublishMessage::build().message_id(report.id().to_string()).payload(report.bytes());
        let mut answered = match self.jetstream.send_publish(subject, message).await {
            Ok(answer) => answer.into_future(),
            Err(error) => return Ok(Err(error)),
        };
        // The client lets a publish wait for its whole time after the connection was lost.
        while self.client.connection_state() == State::Connected {
            if let Ok(answered) = timeout(LOOK, &mut answered).await {
                // A duplicate is a report that was stored, and whose acknowledgement was lost.
                return Ok(answered.map(|_| ()));
            }
        }
        Err(DeliveryError::unreachable())
    }
}

fn is_too_large(error: &PublishError) -> bool {
    let refusal = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    let code = refusal.map(jetstream::Error::error_code);
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || code == Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

fn classified(error: PublishError) -> DeliveryError {
    let failure = match error.kind() {
        _ if is_too_large(&error) => DeliveryError::rejected(),
        PublishErrorKind::TimedOut => DeliveryError::timeout(),
        _ => DeliveryError::unavailable(),
    };
    failure.with_source(error)
}

impl fmt::Debug for NatsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsTransport")
            .field("servers", &self.servers)
            .field("subject", &self.subject)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}
