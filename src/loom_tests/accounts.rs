//! The budget and its counters.

use super::*;

#[test]
fn of_two_that_ask_for_the_last_place_at_most_one_has_it_and_both_are_counted() {
    model(|| {
        let budget = budget(Limits { items: 1, ..LIMITS });
        let ask = |budget: Arc<Budget>| move || budget.admit();
        let other = thread::spawn(ask(Arc::clone(&budget)));
        let reservations: [Option<Reservation>; 2] = [budget.admit(), other.join().unwrap()];
        let admitted = reservations.iter().flatten().count() as u64;
        assert!(admitted <= 1);
        let stats = budget.stats();
        assert_eq!((stats.captured, stats.pending), (2, admitted));
        assert_eq!(stats.dropped(DropReason::TooManyItems), 2 - admitted);
        drop(reservations);
        assert!(at_rest(&budget));
    });
}

#[test]
fn of_two_that_ask_for_the_last_bytes_one_gets_them() {
    model(|| {
        let budget = budget(LIMITS);
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.charge(6))
        };
        let charged = [budget.charge(6), other.join().unwrap()];
        assert_ne!(charged[0], charged[1]);
        budget.release(6);
        assert_eq!(budget.stats().bytes_held, 0);
    });
}

#[test]
fn charges_that_change_on_two_threads_add_up() {
    model(|| {
        let budget = budget(LIMITS);
        let others = [(); 2].map(|()| {
            let mut reservation = budget.admit().unwrap();
            thread::spawn(move || {
                if reservation.budget().charge(4) {
                    reservation.adopt(4);
                }
                assert!(reservation.resize(2, 1));
                assert!(reservation.resize(3, 1));
                reservation
            })
        });
        let reservations = others.map(|other| other.join().unwrap());
        assert_eq!(budget.stats().bytes_held, 6);
        drop(reservations);
        assert!(at_rest(&budget));
    });
}

#[test]
fn what_asks_for_a_place_while_the_budget_closes_is_counted() {
    model(|| {
        let budget = budget(LIMITS);
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.admit())
        };
        budget.close();
        assert!(budget.admit().is_none());
        let reservation = other.join().unwrap();
        let stats = budget.stats();
        assert_eq!((stats.captured, stats.settled() + stats.unsettled()), (2, 2));
        assert_eq!(stats.pending, reservation.iter().count() as u64);
        drop(reservation);
        assert!(at_rest(&budget));
    });
}

#[test]
fn no_snapshot_misses_what_is_settled_meanwhile() {
    model(|| {
        let budget = budget(LIMITS);
        let settlements = [Settlement::Delivered, Settlement::Spooled];
        let others = settlements.map(|settlement| {
            let reservation = budget.admit().unwrap();
            thread::spawn(move || reservation.settle(settlement))
        });
        let stats = budget.stats();
        assert!(stats.settled() + stats.unsettled() >= others.len() as u64, "{stats}");
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// In memory again, or lost.
#[test]
fn no_snapshot_misses_what_leaves_the_disk_meanwhile() {
    model(|| {
        let budget = budget(LIMITS);
        let leaves: [fn(Arc<Budget>); 2] =
            [|budget| drop(budget.resume(false, 1)), |budget| budget.lose_on_disk(1)];
        leaves.iter().for_each(|_| budget.admit().unwrap().settle(Settlement::Spooled));
        let others = leaves.map(|leaves| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || leaves(budget))
        });
        let stats = budget.stats();
        assert!(stats.settled() + stats.unsettled() >= leaves.len() as u64, "{stats}");
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(at_rest(&budget));
    });
}

#[test]
fn no_snapshot_shows_more_settled_and_pending_than_captured() {
    model(|| {
        let budget = budget(LIMITS);
        let others = [Some(Settlement::Delivered), None].map(|settlement| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || match settlement {
                Some(settlement) => budget.admit().unwrap().settle(settlement),
                None => budget.withhold(WithholdReason::OptedOut),
            })
        });
        let stats = budget.stats();
        assert!(stats.settled() + stats.unsettled() <= stats.captured, "{stats}");
        others.into_iter().for_each(|other| other.join().unwrap());
        let stats = budget.stats();
        assert_eq!((stats.captured, stats.settled()), (2, 2));
        assert!(at_rest(&budget));
    });
}

#[test]
fn a_block_that_comes_back_while_the_budget_is_closed_is_not_kept() {
    model(|| {
        let budget = budget(LIMITS);
        let block = budget.take_block(FIRST_BLOCK);
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.give_back(block))
        };
        budget.close();
        other.join().unwrap();
        assert_eq!(budget.spare_bytes(), 0);
    });
}
