//! Which reports are being handled, and which were.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// The ids that are remembered: the reports of several seconds at any rate that was measured.
const REMEMBERED: usize = 100_000;

/// What is known of a report that JetStream sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is new, and is being handled from now on.
    New,
    /// It is being handled. JetStream may have heard nothing of it while a server was away.
    InHand,
    /// It was handled: its acknowledgement was lost.
    Settled,
}

#[derive(Default)]
pub(super) struct Settled(Mutex<Ids>);

#[derive(Default)]
struct Ids {
    /// Whether each is settled.
    known: HashMap<Uuid, bool>,
    /// The settled ones, the oldest first.
    order: VecDeque<Uuid>,
}

impl Settled {
    pub(super) fn begin(&self, id: Uuid) -> Known {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ids.known.get(&id) {
            Some(true) => Known::Settled,
            Some(false) => Known::InHand,
            None => {
                ids.known.insert(id, false);
                Known::New
            }
        }
    }

    /// It was delivered, or is a dead letter.
    pub(super) fn settle(&self, id: Uuid) {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.known.insert(id, true);
        ids.order.push_back(id);
        if ids.order.len() > REMEMBERED
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
    }

    /// It goes back to JetStream.
    pub(super) fn release(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_handled_once_at_a_time_and_not_again_once_it_is_settled() {
        let settled = Settled::default();
        let id = Uuid::from_u128(1);
        assert_eq!((settled.begin(id), settled.begin(id)), (Known::New, Known::InHand));
        settled.release(id);
        assert_eq!(settled.begin(id), Known::New);
        settled.settle(id);
        assert_eq!(settled.begin(id), Known::Settled);
    }

    #[test]
    fn the_oldest_ids_are_forgotten() {
        let settled = Settled::default();
        for number in 0..=REMEMBERED as u128 {
            settled.begin(Uuid::from_u128(number));
            settled.settle(Uuid::from_u128(number));
        }
        assert_eq!(settled.begin(Uuid::from_u128(0)), Known::New);
        assert_eq!(settled.begin(Uuid::from_u128(1)), Known::Settled);
        assert_eq!(settled.0.lock().unwrap().order.len(), REMEMBERED);
    }
}
