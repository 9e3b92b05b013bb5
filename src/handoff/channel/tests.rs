use super::*;
use crate::budget::FIRST_BLOCK;
use crate::config::Limits;
use crate::handoff::half::finish;
use crate::handoff::queue::{QueueItem, READY};
use crate::interaction::InteractionKind;

#[test]
fn no_memory_of_an_exchange_is_kept_once_the_worker_has_stopped() {
    let limits = Limits { items: 1, bytes: 1_000, body_bytes: 1_000 };
    let (sender, receiver) = channel(Arc::new(Budget::new(limits)), CaptureOptions::default());
    let permit = sender.budget().acquire(10).unwrap();
    let (_, request, response) =
        sender.begin(permit, Operation::Chat, Identity::new(), "", &HeaderMap::new());
    finish(request);
    finish(response);
    assert!(receiver.queue.pop().is_some());
    let spare = receiver.queue.spare.pop();
    assert!(receiver.queue.spare.push(spare.unwrap()).is_ok(), "one is kept meanwhile");
    let block = receiver.budget.take_block(FIRST_BLOCK);
    receiver.budget.give_back(block);
    assert_eq!(receiver.budget.spare_bytes(), FIRST_BLOCK);
    drop(receiver);
    assert!(sender.0.queue.spare.pop().is_none());
    assert_eq!(sender.budget().spare_bytes(), 0);
}

#[test]
fn what_finds_no_place_is_taken_in_the_order_in_which_it_came() {
    let limits = Limits { items: usize::MAX, bytes: 1_000, body_bytes: 1_000 };
    let (sender, receiver) = channel(Arc::new(Budget::new(limits)), CaptureOptions::default());
    let hand_over = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let interaction = Interaction::new(InteractionKind::Chat, &number, &()).unwrap();
            sender.report(sender.budget().admit().unwrap(), interaction);
        }
    };
    let take = || match receiver.queue.pop() {
        Some(QueueItem::Interaction(_, interaction)) => Some(interaction.request().to_string()),
        Some(other) => panic!("{other:?} was not reported by hand"),
        None => None,
    };
    hand_over(0..READY + 100);
    assert_eq!(receiver.queue.len(), READY + 100);
    let first: Vec<_> = (0..50).filter_map(|_| take()).collect();
    hand_over(READY + 100..READY + 200);
    let all: Vec<_> = first.into_iter().chain(std::iter::from_fn(take)).collect();
    assert_eq!(all, (0..READY + 200).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(receiver.queue.len(), 0);
}
