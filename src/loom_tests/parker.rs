//! A worker never sleeps while there is work.

use super::*;

#[test]
fn a_worker_that_falls_asleep_while_an_exchange_begins_wakes() {
    model(|| {
        let (sender, receiver) = ends();
        let caller = {
            let sender = sender.clone();
            thread::spawn(move || {
                let reservation = sender.budget().admit();
                sender.wake_worker();
                reservation
            })
        };
        block_on(receiver.queue.sleep_while(|| receiver.budget.items() == 0));
        drop(caller.join());
    });
}

#[test]
fn no_wake_up_by_several_callers_is_lost_on_a_worker_that_falls_asleep_again() {
    bounded_model(|| {
        let (sender, receiver) = ends();
        let callers = [(); 2].map(|()| {
            let sender = sender.clone();
            thread::spawn(move || {
                let reservation = sender.budget().admit();
                sender.wake_worker();
                reservation
            })
        });
        loop {
            let known = receiver.budget.items();
            if known == 2 {
                break;
            }
            block_on(receiver.queue.sleep_while(|| receiver.budget.items() == known));
        }
        callers.into_iter().for_each(|caller| drop(caller.join()));
    });
}

#[test]
fn an_exchange_reaches_a_worker_that_sleeps() {
    model(|| {
        let (sender, receiver) = ends();
        let caller = thread::spawn(move || {
            let (mut observer, tap, _slot) = begin(&sender);
            observer.wake_worker();
            drop((observer, tap));
        });
        drop(take(&receiver));
        caller.join().unwrap();
        drop(receiver);
    });
}

#[test]
fn an_exchange_that_was_never_polled_reaches_a_worker_that_sleeps() {
    model(|| {
        let (sender, receiver) = ends();
        let caller = thread::spawn(move || drop(begin(&sender)));
        drop(take(&receiver));
        caller.join().unwrap();
    });
}
