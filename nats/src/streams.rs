use std::fmt::Debug;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{Config, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, stream};

use crate::error::Error;

pub(crate) const DEFAULT_SUBJECT: &str = "reconify.reports";

/// The stream, its consumer, and the stream of dead letters. The [forwarder](crate::Forwarder)
/// creates those that are missing, and refuses to start if one has other settings.
///
/// ```
/// use reconify_nats::StreamSettings;
///
/// // 50 GB, which must hold the reports of the longest outage.
/// let settings = StreamSettings { replicas: 1, ..StreamSettings::new(50_000_000_000) };
/// assert_eq!(settings.stream, "RECONIFY");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// The name of the stream. Default: `RECONIFY`.
    pub stream: String,
    /// The subjects of the stream. Default: `reconify.reports.*`, all that a
    /// [`NatsTransport`](crate::NatsTransport) publishes to.
    pub subjects: Vec<String>,
    /// The name of the durable consumer, which all forwarders of the stream share. Default:
    /// `forwarder`.
    pub consumer: String,
    /// Maximum bytes of the stream. Beyond it JetStream accepts no report, and publishers hold theirs.
    /// Required: it must hold the longest outage, and fit on the disk beside all other streams.
    pub max_bytes: u64,
    /// How long a report is kept. Default: 72 hours. JetStream removes older ones without a trace.
    pub max_age: Duration,
    /// The number of servers that keep a copy. Default: 3. One server alone needs 1.
    pub replicas: usize,
    /// How long JetStream recognises the id of a stored report. Default: 120 s. It must be longer than a
    /// publisher takes to send a report again, and costs about 220 bytes of memory per report and
    /// replica.
    pub duplicate_window: Duration,
    /// How long a pulled report stays with its forwarder without a sign of life. Default: 60 s. If a
    /// forwarder is killed, its reports wait this long.
    pub ack_wait: Duration,
    /// Maximum reports that all forwarders hold at once. Default: 4,096.
    pub max_ack_pending: u32,
    /// The name of the stream of dead letters. Default: `RECONIFY_DEAD`.
    pub dead_stream: String,
    /// The beginning of the subjects of dead letters; the reason follows. Default: `reconify.dead`.
    pub dead_subject: String,
    /// Maximum bytes of dead letters. If they are full, rejected reports stay in the stream. Default:
    /// a tenth of [`max_bytes`](Self::max_bytes).
    pub dead_max_bytes: u64,
    /// How long a dead letter is kept. Default: 30 days.
    pub dead_max_age: Duration,
}

impl StreamSettings {
    /// The defaults, with the maximum bytes of the stream.
    pub fn new(max_bytes: u64) -> Self {
        Self {
            stream: "RECONIFY".to_owned(),
            subjects: vec![format!("{DEFAULT_SUBJECT}.*")],
            consumer: "forwarder".to_owned(),
            max_bytes,
            max_age: Duration::from_secs(72 * 3_600),
            replicas: 3,
            duplicate_window: Duration::from_secs(120),
            ack_wait: Duration::from_secs(60),
            max_ack_pending: 4_096,
            dead_stream: "RECONIFY_DEAD".to_owned(),
            dead_subject: "reconify.dead".to_owned(),
            dead_max_bytes: max_bytes / 10,
            dead_max_age: Duration::from_secs(30 * 24 * 3_600),
        }
    }

    /// Creates what is missing, and compares everything with what the server reports.
    pub(crate) async fn prepare(&self, jetstream: &Context) -> Result<Prepared, Error> {
        let (reports, dead) = (self.reports(), self.dead_letters());
        let stream = prepare_stream(jetstream, reports).await?;
        let dead_letters = prepare_stream(jetstream, dead).await?;
        let asked = self.consumer();
        let created = stream.get_or_create_consumer(&self.consumer, asked.clone()).await;
        let consumer: PullConsumer = created.map_err(|error| match error.kind() {
            ConsumerErrorKind::TimedOut => Error::Unreachable(error.to_string()),
            ConsumerErrorKind::JetStream(refusal) => refused(&refusal),
            _ => Error::Refused(error.to_string()),
        })?;
        let is = &consumer.cached_info().config;
        let differences = Differences::default()
            .note("ack_policy", asked.ack_policy, is.ack_policy)
            .note("ack_wait", asked.ack_wait, is.ack_wait)
            .note("max_deliver", asked.max_deliver, is.max_deliver)
            .note("max_ack_pending", asked.max_ack_pending, is.max_ack_pending)
            .note("deliver_policy", asked.deliver_policy, is.deliver_policy)
            .note("filter_subject", &asked.filter_subject, &is.filter_subject)
            .note("filter_subjects", &asked.filter_subjects, &is.filter_subjects)
            .note("backoff", &asked.backoff, &is.backoff)
            .note("max_batch", asked.max_batch, is.max_batch)
            .note("max_expires", asked.max_expires, is.max_expires)
            .note("inactive_threshold", asked.inactive_threshold, is.inactive_threshold)
            .note("mem_storage", asked.memory_storage, is.memory_storage)
            .note("headers_only", asked.headers_only, is.headers_only);
        differences.check("consumer", &self.consumer)?;
        Ok(Prepared { stream, dead_letters, consumer })
    }

    fn reports(&self) -> Config {
        Config {
            name: self.stream.clone(),
            subjects: self.subjects.clone(),
            retention: RetentionPolicy::WorkQueue,
            max_bytes: signed(self.max_bytes),
            max_age: self.max_age,
            ..self.common()
        }
    }

    fn dead_letters(&self) -> Config {
        Config {
            name: self.dead_stream.clone(),
            subjects: vec![format!("{}.*", self.dead_subject)],
            retention: RetentionPolicy::Limits,
            max_bytes: signed(self.dead_max_bytes),
            max_age: self.dead_max_age,
            ..self.common()
        }
    }

    /// A full stream refuses reports instead of removing the oldest.
    fn common(&self) -> Config {
        Config {
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: self.replicas,
            duplicate_window: self.duplicate_window,
            max_messages: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            ..Config::default()
        }
    }

    /// JetStream never gives up a report by itself: after `max_deliver` deliveries it would stay in
    /// the stream, for nobody.
    fn consumer(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(self.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_deliver: -1,
            max_ack_pending: self.max_ack_pending.into(),
            ..pull::Config::default()
        }
    }
}

/// The streams and the consumer, as the server has them.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) stream: stream::Stream,
    pub(crate) dead_letters: stream::Stream,
    pub(crate) consumer: PullConsumer,
}

async fn prepare_stream(jetstream: &Context, asked: Config) -> Result<stream::Stream, Error> {
    let name = asked.name.clone();
    let created = jetstream.get_or_create_stream(asked.clone()).await;
    let stream = created.map_err(|error| match error.kind() {
        CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::JetStreamUnavailable => {
            Error::Unreachable(error.to_string())
        }
        CreateStreamErrorKind::JetStream(refusal) => refused(&refusal),
        _ => Error::Refused(error.to_string()),
    })?;
    let is = &stream.cached_info().config;
    let differences = Differences::default()
        .note("subjects", &asked.subjects, &is.subjects)
        .note("retention", asked.retention, is.retention)
        .note("storage", asked.storage, is.storage)
        .note("discard", asked.discard, is.discard)
        .note("max_bytes", asked.max_bytes, is.max_bytes)
        .note("max_age", asked.max_age, is.max_age)
        .note("max_msgs", asked.max_messages, is.max_messages)
        .note("max_msgs_per_subject", asked.max_messages_per_subject, is.max_messages_per_subject)
        .note("num_replicas", asked.num_replicas, is.num_replicas)
        .note("duplicate_window", asked.duplicate_window, is.duplicate_window)
        .note("no_ack", asked.no_ack, is.no_ack)
        .note("sealed", asked.sealed, is.sealed);
    differences.check("stream", &name)?;
    Ok(stream)
}

/// A server that is electing a leader, or has no room now, says so with the status 503.
fn refused(refusal: &async_nats::jetstream::Error) -> Error {
    let text = refusal.to_string();
    if refusal.code() == 503 { Error::Unreachable(text) } else { Error::Refused(text) }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The settings that are not as asked for. Old servers confirm settings that they do not know, and
/// drop them.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn note<T: PartialEq + Debug>(mut self, name: &str, asked: T, is: T) -> Self {
        if asked != is {
            self.0.push(format!("{name} is {is:?} instead of {asked:?}"));
        }
        self
    }

    fn check(self, kind: &str, name: &str) -> Result<(), Error> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Error::Differs(format!("{kind} {name}: {}", self.0.join(", ")))),
        }
    }
}
