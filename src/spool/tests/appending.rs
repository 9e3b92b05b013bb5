//! Writes, syncs, reads and removals that fail.

use std::io::ErrorKind;

use super::*;
use crate::spool::record::MARKER;

/// What a new process adopts after all others have died.
fn recover(disk: &SimFs) -> Vec<u64> {
    disk.faults(|faults| *faults = Default::default());
    let mut spool = open(disk);
    adopt_all(&mut spool, 10);
    let mut numbers = Vec::new();
    while let Some(loaded) = spool.load_oldest().unwrap() {
        numbers.extend(loaded.items.iter().map(number));
        spool.remove(loaded.segment).unwrap();
    }
    numbers
}

/// Appends batch by batch, and retries each item until it is acknowledged or out of attempts.
/// Returns the acknowledged numbers.
fn append_stubbornly(spool: &mut SegmentStore<SimFs>) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    for batch in items(0..15).chunks(5) {
        let mut left = batch;
        for _ in 0..3 {
            let appended = spool.append(left);
            let (done, others) = left.split_at(appended.durable.len());
            acknowledged.extend(done.iter().map(number));
            left = others;
            assert_eq!(left.is_empty(), appended.stopped.is_none());
        }
    }
    acknowledged
}

/// The numbers without repetitions.
fn distinct(numbers: &[u64]) -> Vec<u64> {
    let mut seen = std::collections::BTreeSet::new();
    numbers.iter().copied().filter(|number| seen.insert(*number)).collect()
}

#[test]
fn one_error_anywhere_loses_nothing_and_holds_nothing_up() {
    let operations = {
        let disk = SimFs::new(0);
        let mut spool = open(&disk);
        append_stubbornly(&mut spool);
        disk.operations()
    };
    for is_crash in [false, true] {
        for fail_in in 0..operations {
            let disk = SimFs::new(fail_in);
            disk.faults(|faults| faults.fail_in = Some(fail_in));
            let Ok(mut spool) = SegmentStore::open(disk.process(), settings("/spool")) else { continue };
            assert_eq!(append_stubbornly(&mut spool), Vec::from_iter(0..15), "error {fail_in}");
            if is_crash {
                disk.crash()
            } else {
                spool.disk.kill()
            }
            drop(spool);
            // A failed write that could not be undone may be loaded in addition to its retry.
            assert_eq!(distinct(&recover(&disk)), Vec::from_iter(0..15), "error {fail_in}");
        }
    }
}

#[test]
fn an_attempt_to_open_that_fails_leaves_nothing_behind() {
    let operations = {
        let disk = SimFs::new(0);
        drop(open(&disk));
        disk.operations()
    };
    let mut failures = 0;
    for fail_in in 0..operations {
        let disk = SimFs::new(fail_in);
        disk.faults(|faults| faults.fail_in = Some(fail_in));
        if SegmentStore::open(disk.process(), settings("/spool")).is_err() {
            failures += 1;
            let app = settings("/spool").app.to_string();
            assert!(disk.paths().iter().all(|path| path.parent().is_none_or(|up| !up.ends_with(&app))));
        }
    }
    assert!(failures > 5);
}

#[test]
fn a_failed_write_that_is_undone_leaves_nothing() {
    let disk = SimFs::new(3);
    let mut spool = open(&disk);
    append(&mut spool, 0..2);
    for seed in 0..50 {
        disk.faults(|faults| faults.fail_in = Some(seed % 2));
        assert!(spool.append(&items(2..3)).stopped.is_some(), "neither written nor synced");
    }
    append(&mut spool, 2..3);
    assert_eq!(drain(&mut spool), [0, 1, 2]);
}

#[test]
fn after_a_write_that_cannot_be_undone_the_segment_is_left_alone() {
    for seed in 0..20 {
        let disk = SimFs::new(seed);
        let mut spool = open(&disk);
        append(&mut spool, 0..1);
        disk.faults(|faults| faults.one_in = Some(1));
        assert!(spool.append(&items(1..2)).durable.is_empty());
        disk.faults(|faults| faults.one_in = None);
        append(&mut spool, 1..2);
        assert_eq!(spool.segments(), 2);
        // The failed write leaves a truncated end or a whole record.
        assert_eq!(distinct(&drain(&mut spool)), [0, 1]);
    }
}

#[test]
fn a_disk_that_fills_up_anywhere_keeps_what_fitted() {
    for space in 0..3_600 {
        let disk = SimFs::new(space);
        let mut spool = open(&disk);
        disk.faults(|faults| faults.space = Some(space));
        let all = items(0..15);
        let appended = spool.append(&all);
        let fitted = appended.durable.len() as u64;
        match appended.stopped {
            Some(Stopped::Failed(error)) => assert_eq!(error.kind(), ErrorKind::StorageFull),
            other => assert!(other.is_none() && fitted == 15),
        }
        if space % 2 == 0 {
            disk.crash();
            assert_eq!(recover(&disk), Vec::from_iter(0..fitted));
        } else {
            disk.faults(|faults| faults.space = None);
            append(&mut spool, fitted..16);
            assert_eq!(drain(&mut spool), Vec::from_iter(0..16));
        }
    }
}

#[test]
fn after_a_sync_that_failed_the_segment_is_left_alone() {
    let disk = SimFs::new(1);
    let mut spool = open(&disk);
    append(&mut spool, 0..1);
    disk.faults(|faults| faults.fail_in = Some(1)); // The sync that follows the write.
    assert!(spool.append(&items(1..2)).stopped.is_some());
    append(&mut spool, 1..2);
    assert_eq!(spool.segments(), 2);
    disk.crash();
    assert_eq!(distinct(&recover(&disk)), [0, 1]);
}

#[test]
fn a_read_only_disk_is_an_error_every_time_and_nothing_else() {
    let disk = SimFs::new(1);
    disk.faults(|faults| faults.is_read_only = true);
    assert_eq!(
        SegmentStore::open(disk.process(), settings("/spool")).unwrap_err().kind(),
        ErrorKind::ReadOnlyFilesystem
    );
    disk.faults(|faults| faults.is_read_only = false);
    let mut spool = open(&disk);
    append(&mut spool, 0..1);
    disk.faults(|faults| faults.is_read_only = true);
    for _ in 0..3 {
        let appended = spool.append(&items(1..2));
        assert!(appended.durable.is_empty() && matches!(appended.stopped, Some(Stopped::Failed(_))));
    }
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert!(spool.remove(loaded.segment).is_err());
    spool.release(loaded.segment);
    assert!(spool.load_oldest().unwrap().is_none(), "what is settled is not loaded again");
    assert!(spool.tidy().is_err());
    disk.faults(|faults| faults.is_read_only = false);
    append(&mut spool, 1..2);
    spool.tidy().unwrap();
    assert_eq!(drain(&mut spool), [1]);
    spool.close();
    assert_eq!(disk.paths().len(), 2);
}

#[test]
fn a_segment_that_cannot_be_removed_holds_up_no_other() {
    let disk = SimFs::new(1);
    let mut spool = open(&disk);
    append(&mut spool, 0..10);
    disk.faults(|faults| faults.is_read_only = true);
    let all = spool.segments();
    while let Some(loaded) = spool.load_oldest().unwrap() {
        assert!(spool.remove(loaded.segment).is_err());
    }
    disk.faults(|faults| (faults.is_read_only, faults.fail_in) = (false, Some(0)));
    assert!(all > 2 && spool.segments() == all && spool.tidy().is_err());
    assert_eq!(spool.segments(), 1);
    spool.tidy().unwrap();
    assert_eq!(spool.segments(), 0);
}

#[test]
fn a_segment_that_cannot_be_read_holds_up_no_other() {
    let disk = SimFs::new(1);
    let mut spool = open(&disk);
    append(&mut spool, 0..80);
    let segments = spool.segments();
    let bad = |number: u64| spool.folder.segment(number);
    let unreadable = (1..=12).map(bad).collect();
    disk.faults(|faults| faults.unreadable = unreadable);
    let (mut read, mut errors) = (0, 0);
    for _ in 0..segments {
        match spool.load_oldest() {
            Ok(Some(loaded)) => {
                read += 1;
                spool.remove(loaded.segment).unwrap();
            }
            Ok(None) => break,
            Err(_) => errors += 1,
        }
    }
    assert!(errors <= 2 && read == segments - 12, "{read} of {segments} were read, {errors} errors");
    assert!(spool.load_oldest().is_err());
    disk.faults(|faults| faults.unreadable.clear());
    let mut left = Vec::new();
    for _ in 0..3 {
        left.extend(drain(&mut spool)); // Those that are tried again may need a call to begin anew.
    }
    left.sort_unstable();
    assert_eq!((left.first(), spool.segments()), (Some(&0), 0));
}

#[test]
fn a_segment_that_has_gone_counts_as_corrupt() {
    let disk = SimFs::new(1);
    let mut spool = open(&disk);
    append(&mut spool, 0..2);
    disk.remove(&spool.folder.segment(1)).unwrap();
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert_eq!((loaded.items.len(), loaded.corrupt), (0, 1));
    spool.remove(loaded.segment).unwrap();
    assert_eq!((spool.segments(), spool.bytes()), (0, 0));
}

#[test]
fn corrupt_segments_are_set_aside_within_bounds() {
    let disk = SimFs::new(1);
    let mut spool =
        SegmentStore::open(disk.process(), SpoolSettings { max_bytes: 40_000, ..settings("/spool") })
            .unwrap();
    let aside = |disk: &SimFs| -> Vec<_> {
        let is_aside = |path: &std::path::PathBuf| path.to_str().unwrap().ends_with(".seg.corrupt");
        disk.paths().into_iter().filter(is_aside).collect()
    };
    for turn in 0..40 {
        let first = turn * 10;
        // The last segments are so long that a quarter of the size limit holds fewer of them.
        let letters = if turn < 20 { 20 } else { 2_000 };
        let appended = spool.append([&item(first, letters), &item(first + 1, 20)]);
        let path = spool.folder.segment(appended.durable[0].0);
        disk.edit(&path, |data| {
            let at = data.windows(8).position(|bytes| bytes == MARKER).unwrap() + 40;
            data[at] ^= 1;
        });
        let mut numbers = Vec::new();
        while let Some(loaded) = spool.load_oldest().unwrap() {
            numbers.extend(loaded.items.iter().map(number));
            spool.remove(loaded.segment).unwrap();
        }
        assert_eq!(numbers, [first + 1]);
        let files = aside(&disk);
        let bytes: usize = files.iter().map(|path| disk.read(path, 10_000).unwrap().len()).sum();
        assert!(
            files.len() <= 16 && !files.is_empty() && bytes <= 10_000,
            "{} of {bytes} bytes",
            files.len()
        );
        assert_eq!((spool.segments(), spool.bytes()), (0, bytes as u64));
    }
    spool.close();
    let files = aside(&disk);
    assert!(files.len() < 16, "the long ones are fewer");
    assert!(files.iter().all(|path| disk.read(path, 10_000).unwrap().len() > 2_000), "the oldest went first");
    // They stay and count towards the limit, and no process loads them.
    let mut next =
        SegmentStore::open(disk.process(), SpoolSettings { max_bytes: 40_000, ..settings("/spool") })
            .unwrap();
    assert!(next.bytes() > 0);
    adopt_all(&mut next, 10);
    assert!(next.load_oldest().unwrap().is_none());
    next.close();
    assert_eq!(aside(&disk), files);
}
