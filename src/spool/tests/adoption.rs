//! Adoption of the segments of dead processes.

use std::sync::{Arc, Mutex};

use super::*;

/// Leaves segments behind, like a process that was killed.
fn orphan(disk: &SimFs, numbers: std::ops::Range<u64>) {
    let mut spool = open(disk);
    append(&mut spool, numbers);
    spool.disk.kill();
}

#[test]
fn the_segments_of_a_dead_process_are_adopted_in_order_and_once() {
    let disk = SimFs::new(1);
    orphan(&disk, 0..30);
    let (mut first, mut second) = (open(&disk), open(&disk));
    assert_eq!(adopt_all(&mut first, 1), 1);
    assert_eq!(adopt_all(&mut second, 1), 0);
    assert!(second.load_oldest().unwrap().is_none());
    let loaded = first.load_oldest().unwrap().unwrap();
    assert!(loaded.is_foreign);
    first.release(loaded.segment);
    append(&mut first, 30..32);
    assert_eq!(drain(&mut first), Vec::from_iter(0..32));
    first.close();
    second.close();
    assert_eq!(disk.paths().len(), 2, "nothing is left");
}

#[test]
fn what_was_adopted_is_adopted_again_if_the_adopter_dies() {
    let disk = SimFs::new(1);
    orphan(&disk, 0..10);
    for _ in 0..5 {
        let mut spool = open(&disk);
        assert_eq!(adopt_all(&mut spool, 10), 1);
        assert!(spool.load_oldest().unwrap().is_some());
        spool.disk.kill();
    }
    let mut spool = open(&disk);
    adopt_all(&mut spool, 10);
    assert_eq!(drain(&mut spool), Vec::from_iter(0..10));
}

#[test]
fn the_living_and_those_of_another_key_are_left_alone() {
    let disk = SimFs::new(1);
    let mut living = open(&disk);
    append(&mut living, 0..3);
    let other = SpoolSettings { app: app_folder("another"), ..settings("/spool") };
    let mut stranger = SegmentStore::open(disk.process(), other).unwrap();
    let mut spool = open(&disk);
    assert_eq!(adopt_all(&mut spool, 10), 0);
    living.disk.kill();
    assert_eq!(adopt_all(&mut stranger, 10), 0);
    assert_eq!(adopt_all(&mut spool, 10), 1);
    assert_eq!(drain(&mut spool), [0, 1, 2]);
}

#[test]
fn segments_survive_the_spool_that_was_closed() {
    let disk = SimFs::new(1);
    let mut spool = open(&disk);
    append(&mut spool, 0..10);
    spool.close();
    let mut next = open(&disk);
    adopt_all(&mut next, 10);
    assert_eq!(drain(&mut next), Vec::from_iter(0..10));
}

#[test]
fn an_adopter_that_dies_anywhere_loses_nothing() {
    for is_crash in [false, true] {
        for (step, seed) in (0..60).flat_map(|step| (0..5).map(move |seed| (step, seed))) {
            let disk = SimFs::new(seed);
            orphan(&disk, 0..10);
            orphan(&disk, 10..20);
            let mut spool = open(&disk);
            // The adopter dies after the given number of operations.
            disk.faults(|faults| faults.dead_in = Some(step));
            let _ = spool.adopt(10);
            disk.faults(|faults| faults.dead_in = None);
            if is_crash {
                disk.crash()
            } else {
                spool.disk.kill()
            }
            drop(spool);
            let mut next = open(&disk);
            adopt_all(&mut next, 10);
            let mut numbers = drain(&mut next);
            numbers.sort_unstable();
            assert_eq!(numbers, Vec::from_iter(0..20), "{step} of {seed}");
            next.close();
            assert_eq!(disk.paths().len(), 2, "nothing is left");
        }
    }
}

#[test]
fn an_error_anywhere_in_adoption_is_made_good_by_the_next_round() {
    for fail_in in 0..60 {
        let disk = SimFs::new(fail_in);
        orphan(&disk, 0..10);
        orphan(&disk, 10..20);
        let mut spool = open(&disk);
        disk.faults(|faults| faults.fail_in = Some(fail_in));
        let _ = spool.adopt(10);
        disk.faults(|faults| faults.fail_in = None);
        adopt_all(&mut spool, 10);
        let mut numbers = drain(&mut spool);
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..20), "error {fail_in}");
        spool.close();
        adopt_all(&mut open(&disk), 10);
        assert_eq!(disk.paths().len(), 2, "nothing is left after error {fail_in}: {:?}", disk.paths());
    }
}

#[test]
fn a_power_failure_after_a_round_with_an_error_loses_nothing() {
    for (fail_in, seed) in (0..40).flat_map(|fail_in| (0..8).map(move |seed| (fail_in, seed))) {
        let disk = SimFs::new(seed);
        orphan(&disk, 0..10);
        orphan(&disk, 10..20);
        let mut spool = open(&disk);
        disk.faults(|faults| faults.fail_in = Some(fail_in));
        let _ = spool.adopt(10);
        disk.faults(|faults| faults.fail_in = None);
        adopt_all(&mut spool, 10);
        disk.crash();
        let mut next = open(&disk);
        adopt_all(&mut next, 10);
        let mut numbers = drain(&mut next);
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..20), "error {fail_in}");
    }
}

#[test]
fn a_folder_that_cannot_be_adopted_holds_up_no_other() {
    let disk = SimFs::new(1);
    for orphans in 0..5 {
        orphan(&disk, orphans..orphans + 1);
    }
    let mut spool = open(&disk);
    disk.faults(|faults| faults.fail_in = Some(1)); // The first look into a folder.
    let adopted = spool.adopt(10).unwrap();
    assert!(adopted.error.is_some());
    assert_eq!((adopted.folders, adopted.segments, adopted.has_more), (4, 4, false));
    assert_eq!(adopt_all(&mut spool, 10), 1);
}

#[test]
fn a_process_that_is_starting_wherever_it_is_takes_another_folder_or_keeps_its_own() {
    for step in 0..20 {
        let disk = SimFs::new(1);
        let starting = disk.process();
        // After this number of the starting process's operations, the other one looks for orphans.
        let adopter = Arc::new(Mutex::new(open(&disk)));
        let adopting = adopter.clone();
        starting.interrupt(step, move || {
            let mut adopter = adopting.lock().unwrap();
            adopt_all(&mut adopter, 10);
            adopt_all(&mut adopter, 10);
        });
        let mut spool = SegmentStore::open(starting, settings("/spool")).unwrap();
        append(&mut spool, 0..3);
        assert_eq!(drain(&mut spool), [0, 1, 2], "paused after {step}");
        spool.close();
        disk.interrupt(0, || {}); // Lets go of the adopter.
        let mut adopter = Arc::into_inner(adopter).unwrap().into_inner().unwrap();
        assert!(adopter.load_oldest().unwrap().is_none());
        adopter.close();
        assert_eq!(disk.paths().len(), 2, "nothing is left: {:?}", disk.paths());
    }
}

#[test]
fn a_folder_without_a_lock_is_adopted_or_removed() {
    let disk = SimFs::new(1);
    orphan(&disk, 0..3);
    orphan(&disk, 3..3);
    let locks: Vec<_> = disk.paths().into_iter().filter(|path| path.ends_with("lock")).collect();
    assert_eq!(locks.len(), 2);
    for lock in locks {
        disk.remove(&lock).unwrap();
    }
    let mut spool = open(&disk);
    adopt_all(&mut spool, 10);
    assert_eq!(drain(&mut spool), [0, 1, 2]);
    spool.close();
    assert_eq!(disk.paths().len(), 2, "nothing is left");
}

#[test]
fn folders_of_another_user_are_refused_and_named() {
    let disk = SimFs::new(1);
    orphan(&disk, 0..3);
    orphan(&disk, 3..6);
    let app = Path::new("/spool").join(settings("/spool").app.to_string());
    let is_process = |path: &std::path::PathBuf| path.parent() == Some(&app);
    let foreign = disk.paths().into_iter().find(is_process).unwrap();
    disk.faults(|faults| _ = faults.strangers.insert(foreign.clone()));
    let mut spool = open(&disk);
    let adopted = spool.adopt(10).unwrap();
    assert_eq!((adopted.folders, adopted.has_more), (1, false));
    let error = adopted.error.unwrap().to_string();
    assert!(error.contains(&format!("{foreign:?}")) && error.contains("another user"), "{error}");
    assert_eq!(drain(&mut spool).len(), 3);
    spool.close();

    disk.faults(|faults| _ = faults.strangers.insert(app.clone()));
    let before = disk.paths();
    let error = SegmentStore::open(disk.process(), settings("/spool")).unwrap_err().to_string();
    assert!(error.contains(&format!("{app:?}")) && error.contains("another user"), "{error}");
    assert_eq!(disk.paths(), before, "nothing is left in it");
    // The configured folder may belong to any user.
    disk.faults(|faults| faults.strangers = [std::path::PathBuf::from("/spool")].into());
    adopt_all(&mut open(&disk), 10);
}
