//! An exchange that ends on several threads is handed over once, and counted once.

use super::*;

fn taken(receiver: &Receiver) -> Exchange {
    assert_eq!(receiver.queue.len(), 1, "it is handed over once");
    let Some(QueueItem::Exchange(exchange)) = receiver.queue.pop() else { panic!("an exchange") };
    exchange
}

#[test]
fn two_bodies_that_end_on_two_threads_are_one_exchange_with_both() {
    model(|| {
        let (sender, receiver) = ends();
        let (observer, tap, _slot) = begin(&sender);
        let request = thread::spawn(move || tap.record_whole(&Bytes::from_static(b"ask")));
        let response = thread::spawn(move || {
            let mut observer = observer;
            observer.on_response(StatusCode::OK, &HeaderMap::new());
            observer.into_tap().record_whole(&Bytes::from_static(b"answer"));
        });
        request.join().unwrap();
        response.join().unwrap();
        let exchange = taken(&receiver);
        assert_eq!(exchange.request.body.passed, 3);
        let CallResult::Response(response) = &exchange.result else { panic!("a response") };
        assert_eq!(response.message.body.passed, 6);
        assert_eq!(receiver.budget.stats().bytes_held as usize, EXCHANGE_OVERHEAD + 9);
        exchange.reservation.settle(Settlement::Delivered);
        assert!(at_rest(&receiver.budget));
    });
}

#[test]
fn whoever_says_something_meanwhile_neither_loses_nor_doubles_it() {
    model(|| {
        let (sender, receiver) = ends();
        let (observer, tap, slot) = begin(&sender);
        let request = thread::spawn(move || drop(tap));
        let handler = thread::spawn(move || slot.set_user(User::new("u")));
        let mut observer = observer;
        observer.on_error();
        drop(observer);
        request.join().unwrap();
        handler.join().unwrap();
        let exchange = taken(&receiver);
        assert!(matches!(exchange.result, CallResult::Failed));
        drop(exchange);
        assert!(at_rest(&receiver.budget));
    });
}

#[test]
fn what_is_pushed_while_the_worker_stops_is_dropped_and_counted() {
    model(|| {
        let (sender, receiver) = ends();
        let caller = {
            let sender = sender.clone();
            thread::spawn(move || {
                drop(Observer::begin(
                    &sender,
                    Operation::Chat,
                    "",
                    &HeaderMap::new(),
                    &mut Extensions::new(),
                ));
            })
        };
        drop(receiver);
        caller.join().unwrap();
        let stats = sender.budget().stats();
        assert_eq!((stats.captured, stats.dropped(DropReason::Shutdown)), (1, 1));
        assert!(at_rest(sender.budget()));
    });
}

#[test]
fn what_two_callers_push_while_the_worker_stops_is_dropped_and_counted() {
    bounded_model(|| {
        let (sender, receiver) = ends();
        let callers = [(); 2].map(|()| {
            let sender = sender.clone();
            let reservation = sender.budget().admit().unwrap();
            let interaction = Interaction::new(InteractionKind::Chat, &1, &2).unwrap();
            thread::spawn(move || sender.report(reservation, interaction))
        });
        receiver.stop();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        let stats = sender.budget().stats();
        assert_eq!((stats.captured, stats.dropped(DropReason::Shutdown)), (2, 2));
        assert!(at_rest(sender.budget()));
    });
}
