//! Looks at the stream from time to time: for the metrics, and for a consumer that is stuck.

use std::time::Duration;

use tokio::time::sleep;

use super::LOG;
use super::status::{Gauges, Status};
use crate::streams::Prepared;

const PERIOD: Duration = Duration::from_secs(10);

/// How often in a row a consumer must look stuck: stream and consumer are not looked at in the same
/// moment.
const OFTEN: u32 = 3;

/// Watches until it is aborted.
pub(super) async fn watch(prepared: Prepared, status: Status) {
    let Prepared { stream, dead_letters, consumer } = prepared;
    let mut stuck = Stuck::default();
    loop {
        let seen = async {
            // The consumer first: a report that arrives between the two looks like a stuck one, a report
            // that leaves does not.
            let consumer = consumer.get_info().await.ok()?;
            let stream = stream.get_info().await.ok()?.state;
            let dead_letters = dead_letters.get_info().await.ok()?.state;
            Some(Gauges {
                messages: stream.messages,
                bytes: stream.bytes,
                first: stream.first_sequence,
                pending: consumer.num_pending,
                ack_pending: consumer.num_ack_pending as u64,
                dead_letters: dead_letters.messages,
            })
        };
        if let Some(gauges) = seen.await {
            let is_stuck = stuck.look(&gauges);
            if is_stuck && !status.is_stuck() {
                tracing::error!(
                    target: LOG,
                    messages = gauges.messages,
                    "the consumer is stuck: JetStream has reports that it gives to nobody; delete the consumer: it is \
                     created again"
                );
            }
            status.saw(gauges, is_stuck);
        }
        sleep(PERIOD).await;
    }
}

/// A stream has messages, but its consumer neither waits to send them nor for their acknowledgement.
#[derive(Default)]
struct Stuck {
    first: u64,
    times: u32,
}

impl Stuck {
    fn look(&mut self, seen: &Gauges) -> bool {
        let looks_stuck = seen.messages > 0 && seen.pending == 0 && seen.ack_pending == 0;
        self.times = match looks_stuck {
            false => 0,
            true if self.first == seen.first => self.times.saturating_add(1),
            true => 1,
        };
        self.first = seen.first;
        self.times >= OFTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_stuck_if_the_same_report_waits_for_nobody_three_times() {
        let orphan = Gauges { messages: 1, first: 7, ..Gauges::default() };
        let mut stuck = Stuck::default();
        assert_eq!([(); 3].map(|()| stuck.look(&orphan)), [false, false, true]);
        assert!(!stuck.look(&Gauges { ack_pending: 1, ..orphan }));
        assert!(!stuck.look(&orphan));
        assert_eq!([8, 9, 10, 11].map(|first| stuck.look(&Gauges { first, ..orphan })), [false; 4]);
        assert!(!stuck.look(&Gauges::default()), "an empty stream is not stuck");
    }
}
