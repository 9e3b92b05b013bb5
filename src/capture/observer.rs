use http::{Extensions, HeaderMap, StatusCode};

use super::nesting::is_within;
use super::tap::{OnPanic, Tap};
use crate::config::{CaptureOptions, IdentityHeaders};
use crate::handoff::{EXCHANGE_OVERHEAD, Sender};
use crate::identity::{Identity, IdentitySlot, OptOut, read_headers};
use crate::provider::operation::Operation;
use crate::stats::WithholdReason;

/// Observes a call until there is a response. Empty if the call is not recorded.
#[derive(Debug, Default)]
pub(crate) struct Observer(Tap);

impl Observer {
    /// Begins to record an exchange, unless it is opted out, an outer layer records it already, or
    /// the budget has no room for it. Leaves a slot in the extensions by which an inner layer
    /// knows.
    pub(crate) fn begin(
        sender: &Sender,
        operation: Operation,
        path: &str,
        headers: &HeaderMap,
        extensions: &mut Extensions,
    ) -> (Self, Tap) {
        let capturing = sender.capturing();
        if let Some(slot) = extensions.get::<IdentitySlot>().filter(|slot| slot.is_taken()) {
            // The outer layer has not seen an opt-out added since.
            let opt_out = Identity::of(extensions).opt_out;
            slot.set(Identity { opt_out, ..Identity::default() });
            return Default::default();
        }
        if capturing.outermost_only && is_within() {
            return Default::default();
        }
        let identity = identity_of(extensions, headers, capturing);
        let permit = match identity.opt_out {
            OptOut::Everything => {
                sender.budget().withhold(WithholdReason::OptedOut);
                None
            }
            OptOut::Content | OptOut::Nothing => {
                sender.budget().acquire(EXCHANGE_OVERHEAD + identity.bytes())
            }
        };
        let Some(permit) = permit else {
            extensions.insert(IdentitySlot::settled());
            return Default::default();
        };
        let (exchange, request, response) = sender.begin(permit, operation, identity, path, headers);
        // Held weakly: keeping the extensions does not delay the hand-over.
        extensions.insert(IdentitySlot::of(exchange));
        (Self(Tap(Some(response))), Tap(Some(request)))
    }

    /// Wakes the worker, so that it is awake when the exchange ends. Called after the inner service
    /// was polled: the caller now waits for something slower than a wake-up.
    pub(crate) fn wake_worker(&mut self) {
        let Some(half) = &mut self.0.0 else { return };
        // `scope(service.call(request))` makes the call before it opens the scope.
        half.wake_worker(Identity::from_scope);
    }

    /// Records the head of the response. Its body is [recorded separately](Self::into_tap).
    #[inline(never)]
    pub(crate) fn on_response(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.wake_worker();
        self.0.0.as_mut().into_iter().for_each(|half| half.respond(status, headers));
    }

    /// Records an error in place of a response.
    #[cold]
    pub(crate) fn on_error(&mut self) {
        self.wake_worker();
        self.0.0.as_mut().into_iter().for_each(|half| half.fail());
    }

    /// Until the guard is disarmed, a panic marks the exchange as failed. The panic passes on.
    #[inline(always)]
    pub(crate) fn fail_on_panic(&mut self) -> OnPanic<'_, impl Fn(&mut Tap)> {
        OnPanic(&mut self.0, |tap| tap.0.as_mut().into_iter().for_each(|half| half.fail()))
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records the body of the response.
    #[inline(always)]
    pub(crate) fn into_tap(self) -> Tap {
        self.0
    }
}

/// The identity of the caller: from the extensions, else from the headers if they are trusted, else
/// from the task.
fn identity_of(extensions: &Extensions, headers: &HeaderMap, capturing: CaptureOptions) -> Identity {
    let mut identity = Identity::of(extensions);
    if capturing.identity_headers != IdentityHeaders::Ignore {
        identity = identity.fill_from(read_headers(headers));
    }
    if let Some(scope) = Identity::from_scope() {
        identity = identity.fill_from(scope);
    }
    identity
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::*;
    use crate::budget::Budget;
    use crate::config::Limits;
    use crate::exchange::{CallResult, Exchange};
    use crate::handoff::{self, QueueItem};
    use crate::identity::{Session, User};

    #[test]
    fn a_call_that_is_never_polled_wakes_the_worker_all_the_same() {
        let limits = Limits { items: 1, bytes: 10_000, body_bytes: 1_000 };
        let (sender, receiver) = handoff::channel(Arc::new(Budget::new(limits)), CaptureOptions::default());
        let mut asleep = std::pin::pin!(receiver.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none(), "nothing has happened");
        drop(Observer::begin(&sender, Operation::Chat, "", &HeaderMap::new(), &mut Extensions::new()));
        assert!(asleep.now_or_never().is_some(), "the worker is awake");
        assert_eq!(receiver.queue.len(), 1);
    }

    #[test]
    fn an_exchange_wakes_a_sleeping_worker_once_and_early() {
        let limits = Limits { items: 2, bytes: 10_000, body_bytes: 1_000 };
        let (sender, receiver) = handoff::channel(Arc::new(Budget::new(limits)), CaptureOptions::default());
        let mut asleep = std::pin::pin!(receiver.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none());
        let (mut observer, tap) =
            Observer::begin(&sender, Operation::Chat, "", &HeaderMap::new(), &mut Extensions::new());
        observer.wake_worker();
        assert!(asleep.now_or_never().is_some(), "before the end of the exchange");
        let mut asleep = std::pin::pin!(receiver.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none());
        drop((observer, tap));
        assert!(asleep.now_or_never().is_none(), "not at its end");
    }

    #[test]
    fn a_record_that_is_used_again_wakes_the_worker_as_a_new_one_does() {
        let (sender, receiver) = ends();
        let begin =
            || Observer::begin(&sender, Operation::Chat, "", &HeaderMap::new(), &mut Extensions::new());
        let (mut observer, tap) = begin();
        observer.wake_worker();
        drop((observer, tap));
        assert!(receiver.queue.pop().is_some());
        let mut asleep = std::pin::pin!(receiver.queue.sleep_while(|| true));
        assert!(asleep.as_mut().now_or_never().is_none());
        drop(begin());
        assert!(asleep.now_or_never().is_some(), "a call that is never polled");
    }

    #[test]
    fn the_slot_of_a_record_that_is_used_again_is_taken_until_its_exchange_ends() {
        let ends = ends();
        drop(exchange(&ends, Extensions::new(), b"first", drop));
        let mut kept = None;
        let next = exchange(&ends, Extensions::new(), b"next", |slot| {
            assert!(slot.is_taken());
            slot.set_user(User::new("u"));
            kept = Some(slot);
        });
        assert_eq!(next.identity.user().and_then(User::id), Some("u"));
        assert!(!kept.unwrap().is_taken());
    }

    #[test]
    fn a_user_with_neither_id_nor_address_is_no_user() {
        let mut extensions = Extensions::new();
        extensions.insert(User::new("").authenticated(false));
        assert!(exchange(&ends(), extensions, b"", drop).identity.user().is_none());
    }

    /// One exchange from its beginning to the worker. `say` may use the identity slot meanwhile.
    fn exchange(
        (sender, receiver): &(Sender, handoff::Receiver),
        mut extensions: Extensions,
        body: &'static [u8],
        say: impl FnOnce(IdentitySlot),
    ) -> Exchange {
        let (mut observer, tap) =
            Observer::begin(sender, Operation::Chat, "", &HeaderMap::new(), &mut extensions);
        say(extensions.remove().unwrap());
        tap.record_whole(&Bytes::from_static(body));
        match body {
            b"" => drop(observer),
            body => {
                observer.on_response(StatusCode::CREATED, &HeaderMap::new());
                observer.into_tap().record_whole(&Bytes::from_static(body));
            }
        }
        match receiver.queue.pop() {
            Some(QueueItem::Exchange(exchange)) => exchange,
            other => panic!("{other:?} is no exchange"),
        }
    }

    fn ends() -> (Sender, handoff::Receiver) {
        let limits = Limits { items: 2, bytes: 10_000, body_bytes: 1_000 };
        handoff::channel(Arc::new(Budget::new(limits)), CaptureOptions::default())
    }

    #[test]
    fn nothing_of_an_exchange_is_in_the_next_that_uses_its_record() {
        let ends = ends();
        let mut extensions = Extensions::new();
        Identity::from((User::new("u"), Session::new("s"))).omit_content().insert_into(&mut extensions);
        let first = exchange(&ends, extensions, b"a secret", |slot| slot.tag("plan", "free"));
        assert!(first.identity.tags().is_some());
        drop(first);
        let next = exchange(&ends, Extensions::new(), b"", drop);
        assert!(next.identity.is_empty(), "{:?}", next.identity);
        assert!(matches!(next.result, CallResult::Cancelled), "{:?}", next.result);
        assert!(next.request.body.passed == 0 && next.request.body.pieces.is_empty());
        drop(next);
        assert_eq!(ends.0.budget().stats().bytes_held, 0);
    }

    #[test]
    fn a_slot_that_is_kept_says_nothing_of_a_later_exchange() {
        let ends = ends();
        let mut kept = None;
        drop(exchange(&ends, Extensions::new(), b"first", |slot| kept = Some(slot)));
        let slot = kept.unwrap();
        let next = exchange(&ends, Extensions::new(), b"next", |_| slot.set_user(User::new("another")));
        assert!(next.identity.is_empty(), "{:?}", next.identity);
    }

    /// The budget is charged for pooled blocks as an exchange begins. A frame that is kept by
    /// reference needs none.
    #[test]
    fn a_block_that_nobody_uses_takes_no_room_from_a_body() {
        let limits = Limits { items: 2, bytes: 20_000 + EXCHANGE_OVERHEAD, body_bytes: 20_000 };
        let ends = handoff::channel(Arc::new(Budget::new(limits)), CaptureOptions::default());
        drop(exchange(&ends, Extensions::new(), &[b'x'; 4_000], drop));
        let next = exchange(&ends, Extensions::new(), &[b'x'; 9_000], drop);
        let CallResult::Response(response) = &next.result else { panic!("{:?}", next.result) };
        assert!(!next.request.body.over_budget && !response.message.body.over_budget);
        assert_eq!(ends.0.budget().stats().bytes_held as usize, 18_000 + EXCHANGE_OVERHEAD);
    }
}
