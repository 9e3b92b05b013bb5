//! Copies entries that wait for long out of the connections' read buffers.

use super::queue::{Queue, QueueItem};

/// This many entries are not copied. More wait only while the collector is slow or down.
const FEW: usize = 32;

/// The most that is copied at once, before the worker turns to other work.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// The fixed cost of compacting an exchange, counted as bytes, even if nothing is copied.
const BYTES_APIECE: usize = 4 * 1024;

impl Queue {
    /// Copies waiting entries, the oldest first, except the last few. A large frame is a slice of a
    /// connection's read buffer and keeps all of it in memory. Returns whether there is more to
    /// copy.
    pub(crate) fn compact(&self) -> bool {
        let mut copied = 0;
        while self.arrived() > FEW {
            if copied >= BYTES_AT_ONCE {
                return true;
            }
            let Some(mut item) = self.take_next() else { return false };
            if let QueueItem::Exchange(exchange) = &mut item {
                copied += exchange.compact();
            }
            copied += BYTES_APIECE;
            self.waiting.push(item);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::{Extensions, HeaderMap};

    use super::*;
    use crate::budget::Budget;
    use crate::capture::Observer;
    use crate::config::{CaptureOptions, Limits};
    use crate::handoff::{Receiver, Sender, channel};
    use crate::interaction::{Interaction, InteractionKind};
    use crate::provider::operation::Operation;

    const PASSED: usize = 10_000;

    fn ends() -> (Sender, Receiver) {
        let limits = Limits { items: 10_000, bytes: 1 << 30, body_bytes: 1 << 30 };
        channel(Arc::new(Budget::new(limits)), CaptureOptions::default())
    }

    /// Hands over an exchange with a slice of a buffer of its request's connection.
    fn hand_over(sender: &Sender, number: usize) -> Bytes {
        let buffer = Bytes::from(vec![u8::try_from(number % 256).unwrap(); 2 * PASSED]);
        let mut extensions = Extensions::new();
        let (_, tap) = Observer::begin(sender, Operation::Chat, "", &HeaderMap::new(), &mut extensions);
        tap.record_whole(&buffer.slice(..PASSED));
        buffer
    }

    fn take(receiver: &Receiver) -> Option<u8> {
        match receiver.queue.pop()? {
            QueueItem::Exchange(exchange) => Some(exchange.request.body.into_bytes(&receiver.budget)[0]),
            QueueItem::Interaction(_, reported) => reported.request().parse().ok(),
        }
    }

    #[test]
    fn what_waits_for_long_keeps_no_read_buffer_and_stays_charged_and_in_order() {
        let (sender, receiver) = ends();
        let buffers: Vec<_> = (0..50).map(|number| hand_over(&sender, number)).collect();
        sender.report(
            sender.budget().admit().unwrap(),
            Interaction::new(InteractionKind::Chat, &50, &()).unwrap(),
        );
        let more: Vec<_> = (51..100).map(|number| hand_over(&sender, number)).collect();
        let held = receiver.budget.stats();
        assert!(buffers.iter().all(|buffer| !buffer.is_unique()), "as they came");
        while receiver.queue.compact() {}
        let is_free = |buffer: &&Bytes| buffer.is_unique();
        assert_eq!(buffers.iter().chain(&more).filter(is_free).count(), 99 - FEW);
        assert_eq!((receiver.budget.stats(), receiver.queue.len()), (held, 100));
        let more: Vec<_> = (100..110).map(|number| hand_over(&sender, number)).collect();
        assert_eq!(std::iter::from_fn(|| take(&receiver)).collect::<Vec<_>>(), (0..110).collect::<Vec<_>>());
        assert_eq!((receiver.budget.stats().pending, receiver.budget.stats().bytes_held), (0, 0));
        assert!(more.iter().all(Bytes::is_unique));
    }

    #[test]
    fn little_is_copied_in_one_go() {
        let (sender, receiver) = ends();
        let most = BYTES_AT_ONCE / (PASSED + BYTES_APIECE) + 1;
        let buffers: Vec<_> = (0..3 * most + FEW).map(|number| hand_over(&sender, number)).collect();
        for copied in [most, 2 * most] {
            assert!(receiver.queue.compact());
            assert_eq!(buffers.iter().filter(|buffer| buffer.is_unique()).count(), copied);
        }
        assert!(!receiver.queue.compact());
    }

    #[test]
    fn a_few_that_wait_are_left_as_they_came() {
        let (sender, receiver) = ends();
        let buffers: Vec<_> = (0..FEW).map(|number| hand_over(&sender, number)).collect();
        assert!(!receiver.queue.compact());
        assert!(buffers.iter().all(|buffer| !buffer.is_unique()));
    }

    #[test]
    fn what_waits_is_dropped_and_counted_when_the_worker_stops() {
        let (sender, receiver) = ends();
        let buffers: Vec<_> = (0..50).map(|number| hand_over(&sender, number)).collect();
        while receiver.queue.compact() {}
        drop(receiver);
        let stats = sender.budget().stats();
        assert_eq!((stats.captured, stats.settled(), stats.pending, stats.bytes_held), (50, 50, 0, 0));
        assert!(buffers.iter().all(Bytes::is_unique));
    }
}
