//! One report, from JetStream to the collector.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::{Acker, PublishMessage};
use async_nats::jetstream::{AckKind, Context, Message};
use async_nats::{Client, HeaderMap, Request, Subject};
use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tower_reconify::{Report, Reporter, Undelivered};
use uuid::Uuid;

use super::LOG;
use super::settled::{Known, Settled};
use super::status::{Count, Status};
use crate::streams::StreamSettings;

/// How long JetStream's answer is waited for.
const ANSWER: Duration = Duration::from_secs(2);

/// How long JetStream is asked to confirm an acknowledgement.
const ACKNOWLEDGING: Duration = Duration::from_secs(10);

/// The pause between attempts to acknowledge.
const ACK_PAUSE: Duration = Duration::from_millis(500);

/// How long a report stays in the stream that this process has no room for, or that cannot become a
/// dead letter.
const BACK: Duration = Duration::from_secs(5);

pub(super) struct Handler {
    client: Client,
    pub(super) jetstream: Context,
    reporter: Reporter,
    dead_subject: String,
    ack_wait: Duration,
    settled: Settled,
    status: Status,
}

/// How the handling of a message ends.
enum End {
    Delivered,
    Dead(Dead),
    /// It goes back to the stream, and comes again after the pause.
    Back(Option<Duration>),
}

/// Why a message becomes a dead letter.
#[derive(Clone, Copy)]
enum Dead {
    Rejected,
    GivenUp,
    Unreadable,
}

impl Handler {
    pub(super) fn new(
        client: &Client,
        reporter: Reporter,
        settings: &StreamSettings,
        status: Status,
    ) -> Self {
        Self {
            client: client.clone(),
            jetstream: ContextBuilder::new().ack_timeout(ANSWER).build(client.clone()),
            reporter,
            dead_subject: settings.dead_subject.clone(),
            ack_wait: settings.ack_wait,
            settled: Settled::default(),
            status,
        }
    }

    pub(super) async fn handle(&self, message: Message) {
        self.status.add(Count::Taken);
        // The acker takes the subject out of the message.
        let reply = message.reply.clone();
        let (async_nats::Message { headers, payload, .. }, acker) = message.split();
        let id = headers.as_ref().and_then(id_of);
        match id.map(|id| self.settled.begin(id)) {
            Some(Known::InHand) => {
                self.status.add(Count::Known);
                return;
            }
            Some(Known::Settled) => {
                self.status.add(Count::Known);
                self.acknowledge(reply, "+ACK").await;
                return;
            }
            Some(Known::New) | None => {}
        }
        let end = self.while_alive(&acker, self.forward(id, payload)).await;
        let is_settled = !matches!(end, End::Back(_));
        match id {
            Some(id) if is_settled => self.settled.settle(id),
            Some(id) => self.settled.release(id),
            None => {}
        }
        match end {
            End::Delivered => {
                self.status.add(Count::Delivered);
                self.acknowledge(reply, "+ACK").await;
            }
            End::Dead(reason) => {
                self.status.add(reason.count());
                self.acknowledge(reply, "+TERM").await;
            }
            End::Back(pause) => self.back(&acker, pause).await,
        }
    }

    /// Returns a report that was not looked at.
    pub(super) async fn give_back(&self, message: Message) {
        self.status.add(Count::Taken);
        self.back(&message.split().1, None).await;
    }

    async fn forward(&self, id: Option<Uuid>, payload: Bytes) -> End {
        let report = id.and_then(|id| {
            let report = Report::from_stored(id, payload.clone());
            report
                .inspect_err(|error| tracing::warn!(target: LOG, %id, %error, "a message is not a report"))
                .ok()
        });
        let Some(report) = report else { return self.bury(id, payload, Dead::Unreadable).await };
        drop(payload);
        let json = report.bytes();
        match self.reporter.deliver(report).await {
            Ok(()) => End::Delivered,
            Err(Undelivered::Rejected) => self.bury(id, json, Dead::Rejected).await,
            Err(Undelivered::GivenUp) => self.bury(id, json, Dead::GivenUp).await,
            Err(Undelivered::Shutdown) => End::Back(None),
            // No room, or a reason of a later version.
            Err(_) => End::Back(Some(BACK)),
        }
    }

    /// Copies a message to the dead letters. Only then it may leave the stream: once JetStream has
    /// removed it, nobody can read it.
    async fn bury(&self, id: Option<Uuid>, payload: Bytes, reason: Dead) -> End {
        let subject = format!("{}.{}", self.dead_subject, reason.as_str());
        let mut letter = PublishMessage::build().payload(payload);
        if let Some(id) = id {
            letter = letter.message_id(id.to_string());
        }
        let copied = async { self.jetstream.send_publish(subject, letter).await?.await };
        match copied.await {
            Ok(_) => {
                tracing::warn!(target: LOG, id = ?id, reason = reason.as_str(), "a report is a dead letter now");
                End::Dead(reason)
            }
            Err(error) => {
                tracing::error!(target: LOG, %error, "a report cannot become a dead letter, and stays in the stream");
                End::Back(Some(BACK))
            }
        }
    }

    /// Tells JetStream from time to time that the work goes on.
    async fn while_alive<T>(&self, acker: &Acker, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let period = self.ack_wait / 3;
        let mut pulse = interval_at(Instant::now() + period, period);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                // A client without a connection accepts only a limited number of messages.
                _ = pulse.tick() => if self.client.connection_state() == State::Connected
                    && let Err(error) = acker.ack_with(AckKind::Progress).await
                {
                    tracing::debug!(target: LOG, error, "JetStream was not told that the work goes on");
                },
            }
        }
    }

    /// Acknowledges until JetStream confirms it. A server that was restarted after it had removed the
    /// report confirms nothing; if it still has the report, that comes again, and its id is known.
    async fn acknowledge(&self, reply: Option<Subject>, how: &'static str) {
        let Some(reply) = reply else { return };
        let until = Instant::now() + ACKNOWLEDGING.min(self.ack_wait);
        loop {
            let request = Request::new().payload(how.into()).timeout(Some(ANSWER));
            match self.client.send_request(reply.clone(), request).await {
                Ok(_) => return,
                Err(error) if Instant::now() > until => {
                    self.status.add(Count::Unconfirmed);
                    tracing::debug!(target: LOG, %error, "an acknowledgement was not confirmed");
                    return;
                }
                Err(_) => sleep(ACK_PAUSE).await,
            }
        }
    }

    async fn back(&self, acker: &Acker, pause: Option<Duration>) {
        self.status.add(Count::Returned);
        if let Err(error) = acker.ack_with(AckKind::Nak(pause)).await {
            tracing::debug!(target: LOG, error, "a report comes back only after ack_wait");
        }
    }
}

impl Dead {
    fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::GivenUp => "given-up",
            Self::Unreadable => "unreadable",
        }
    }

    fn count(self) -> Count {
        match self {
            Self::Rejected => Count::Rejected,
            Self::GivenUp => Count::GivenUp,
            Self::Unreadable => Count::Unreadable,
        }
    }
}

fn id_of(headers: &HeaderMap) -> Option<Uuid> {
    headers.get(NATS_MESSAGE_ID)?.as_str().parse().ok()
}
