//! The counts of a run.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::collector::Collector;
use super::server::Servers;
use super::until;

/// What became of the reports of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) handed_over: u64,
    pub(crate) acknowledged: usize,
    pub(crate) delivered: usize,
    pub(crate) dead: usize,
    /// Posts that were accepted beyond the first of a report.
    pub(crate) duplicates: u32,
    /// Acknowledged reports that are neither delivered nor dead.
    pub(crate) lost: usize,
}

impl Tally {
    /// Waits until the stream is empty, and counts.
    pub(crate) async fn count(
        what: &str,
        handed_over: u64,
        acknowledged: &HashSet<Uuid>,
        servers: &Servers,
        collector: &Collector,
    ) -> Self {
        let jetstream = servers.jetstream().await;
        until("the stream is empty", || async {
            match jetstream.get_stream("RECONIFY").await {
                Ok(stream) => stream.cached_info().state.messages == 0,
                Err(_) => false,
            }
        })
        .await;
        let dead = dead_letters(servers).await;
        let accepted = collector.accepted();
        let is_there = |id: &&Uuid| accepted.contains_key(id) || dead.contains_key(id);
        let tally = Self {
            handed_over,
            acknowledged: acknowledged.len(),
            delivered: accepted.len(),
            dead: dead.len(),
            duplicates: accepted.values().map(|times| times - 1).sum(),
            lost: acknowledged.len() - acknowledged.iter().filter(is_there).count(),
        };
        println!("{what}: {tally:?}");
        tally
    }

    /// Asserts that every report was acknowledged, and delivered once.
    pub(crate) fn all_once(&self) {
        let all = usize::try_from(self.handed_over).unwrap();
        let expected = Self {
            handed_over: self.handed_over,
            acknowledged: all,
            delivered: all,
            dead: 0,
            duplicates: 0,
            lost: 0,
        };
        assert_eq!(*self, expected);
    }
}

/// The ids and the subjects of all dead letters.
pub(crate) async fn dead_letters(servers: &Servers) -> HashMap<Uuid, String> {
    let stream = servers.jetstream().await.get_stream("RECONIFY_DEAD").await.unwrap();
    let mut dead = HashMap::new();
    for number in 1..=stream.cached_info().state.last_sequence {
        let letter = stream.get_raw_message(number).await.unwrap();
        let id = letter.headers.get("Nats-Msg-Id").unwrap().as_str().parse().unwrap();
        dead.insert(id, letter.subject.to_string());
    }
    dead
}
