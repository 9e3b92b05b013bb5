//! The counters and the readiness of a forwarder.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::connection::State;
use tower_reconify::Reporter;

/// How long after the last look at the stream a forwarder counts as ready.
const READY_FOR: Duration = Duration::from_secs(30);

/// The counters and the readiness of a [`Forwarder`](crate::Forwarder). Clones are cheap.
#[derive(Clone)]
pub struct Status(Arc<Shared>);

struct Shared {
    reporter: Reporter,
    counts: [AtomicU64; COUNTS.len()],
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    client: Option<Client>,
    /// When the stream was looked at.
    answered: Option<Instant>,
    /// Why the last request for reports failed.
    problem: Option<String>,
    gauges: Option<Gauges>,
    is_stuck: bool,
}

/// The number of messages so far, by what happened to them.
///
/// Without a crash, `taken == delivered + rejected + given_up + unreadable + returned + known`, plus
/// those in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that JetStream sent, also repeatedly.
    pub taken: u64,
    /// Reports that the collector accepted.
    pub delivered: u64,
    /// Dead letters: the collector rejected the report.
    pub rejected: u64,
    /// Dead letters: the report failed too often.
    pub given_up: u64,
    /// Dead letters: the message is not a report.
    pub unreadable: u64,
    /// Messages that went back to the stream: at a stop, without room, or without room for dead
    /// letters.
    pub returned: u64,
    /// Messages that came again although they were settled or in hand, and were not delivered again.
    pub known: u64,
    /// Acknowledgements that JetStream did not confirm within 10 s: usually some after a server was
    /// restarted. Their reports do not come again, or are [known](Self::known).
    pub unconfirmed: u64,
}

#[derive(Clone, Copy)]
pub(super) enum Count {
    Taken,
    Delivered,
    Rejected,
    GivenUp,
    Unreadable,
    Returned,
    Known,
    Unconfirmed,
}

/// The name of each counter and its label, in the order of [`Count`].
const COUNTS: [(&str, &str); 8] = [
    ("taken_total", ""),
    ("delivered_total", ""),
    ("dead_total", r#"{reason="rejected"}"#),
    ("dead_total", r#"{reason="given-up"}"#),
    ("dead_total", r#"{reason="unreadable"}"#),
    ("returned_total", ""),
    ("known_total", ""),
    ("unconfirmed_total", ""),
];

/// The state of the stream and its consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gauges {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// The number of the oldest message.
    pub(super) first: u64,
    pub(super) pending: u64,
    pub(super) ack_pending: u64,
    pub(super) dead_letters: u64,
}

impl Status {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self(Arc::new(Shared {
            reporter,
            counts: Default::default(),
            seen: Mutex::new(Seen { problem: Some("it is starting".to_owned()), ..Seen::default() }),
        }))
    }

    /// The counters.
    pub fn counts(&self) -> Counts {
        let [taken, delivered, rejected, given_up, unreadable, returned, known, unconfirmed] =
            self.0.counts.each_ref().map(|count| count.load(Relaxed));
        Counts { taken, delivered, rejected, given_up, unreadable, returned, known, unconfirmed }
    }

    /// Whether reports are being forwarded: there is a connection, JetStream has answered within the
    /// last 30 s, and the consumer is not stuck. A collector that is away is no reason to be not
    /// ready, because a restart of the forwarder would not help.
    ///
    /// # Errors
    ///
    /// The reason, as a text without secrets.
    pub fn readiness(&self) -> Result<(), String> {
        let seen = self.seen();
        let is_connected = |client: &Client| client.connection_state() == State::Connected;
        let problem = match (&seen.problem, seen.answered) {
            (Some(problem), _) => problem.as_str(),
            _ if !seen.client.as_ref().is_some_and(is_connected) => "there is no connection to NATS",
            _ if seen.is_stuck => "the consumer is stuck: JetStream has reports that it gives to nobody",
            (None, Some(at)) if at.elapsed() < READY_FOR => return Ok(()),
            _ => "JetStream does not answer",
        };
        Err(problem.to_owned())
    }

    /// All values in Prometheus' text format, followed by those of the reporter
    /// ([`Stats::prometheus`](tower_reconify::Stats::prometheus)).
    ///
    /// Alert on:
    ///
    /// - `reconify_forwarder_stuck > 0` and `reconify_forwarder_ready == 0`;
    /// - `increase(reconify_forwarder_dead_total[5m]) > 0`: reports became dead letters;
    /// - `reconify_forwarder_stream_bytes` near the stream's maximum: publishers will hold their reports;
    /// - `reconify_forwarder_stream_pending` that grows for an hour: more forwarders are needed, or the
    ///   collector is away.
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for ((name, label), count) in COUNTS.iter().zip(&self.0.counts) {
            if *name != last {
                line(&mut text, format_args!("# TYPE reconify_forwarder_{name} counter"));
                last = name;
            }
            line(&mut text, format_args!("reconify_forwarder_{name}{label} {}", count.load(Relaxed)));
        }
        let is_ready = self.readiness().is_ok();
        let (gauges, is_stuck) = {
            let seen = self.seen();
            (seen.gauges.unwrap_or_default(), seen.is_stuck)
        };
        for (name, value) in [
            ("ready", is_ready.into()),
            ("stuck", is_stuck.into()),
            ("stream_messages", gauges.messages),
            ("stream_bytes", gauges.bytes),
            ("stream_pending", gauges.pending),
            ("stream_ack_pending", gauges.ack_pending),
            ("dead_letters", gauges.dead_letters),
        ] {
            line(&mut text, format_args!("# TYPE reconify_forwarder_{name} gauge"));
            line(&mut text, format_args!("reconify_forwarder_{name} {value}"));
        }
        text + &self.0.reporter.stats().prometheus()
    }

    pub(super) fn add(&self, count: Count) {
        if let Some(count) = self.0.counts.get(count as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn started(&self, client: &Client) {
        let mut seen = self.seen();
        seen.client = Some(client.clone());
        seen.answered = Some(Instant::now());
        seen.problem = None;
    }

    /// JetStream has answered a request for reports.
    pub(super) fn pulled(&self) {
        self.seen().problem = None;
    }

    pub(super) fn failed(&self, problem: &str) {
        self.seen().problem = Some(problem.to_owned());
    }

    pub(super) fn saw(&self, gauges: Gauges, is_stuck: bool) {
        let mut seen = self.seen();
        (seen.gauges, seen.is_stuck, seen.answered) = (Some(gauges), is_stuck, Some(Instant::now()));
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.seen().is_stuck
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
