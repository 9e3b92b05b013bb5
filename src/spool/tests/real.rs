//! The spool on the real file system.

use std::fs;
use std::sync::Barrier;

use super::*;
use crate::spool::segment::header;
use crate::spool::{OsFs, SegmentId};

fn open(folder: &Path) -> SegmentStore<OsFs> {
    SegmentStore::open(OsFs, settings(folder)).unwrap()
}

/// Creates folders of dead processes with one segment of one item each, without syncing them.
fn orphans(folder: &Path, numbers: std::ops::Range<u64>) {
    let app = folder.join(app_folder("app").to_string());
    for item in items(numbers) {
        let dead = app.join(Uuid::new_v4().to_string());
        fs::create_dir_all(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        let mut segment = header();
        item.encode(&mut segment).unwrap();
        fs::write(dead.join("00000000000000000001.seg"), segment).unwrap();
    }
}

#[test]
fn a_drain_leaves_nothing_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder.path().join("made/for/it"));
    append(&mut spool, 0..50);
    assert_eq!(drain(&mut spool), Vec::from_iter(0..50));
    spool.close();
    assert_eq!(fs::read_dir(folder.path().join("made/for/it")).unwrap().count(), 0);
}

#[test]
fn what_was_closed_is_there_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    append(&mut spool, 0..10);
    let bytes = spool.bytes();
    drop(spool);
    let mut next = open(folder.path());
    assert_eq!((adopt_all(&mut next, 10), next.bytes()), (1, bytes));
    assert_eq!(drain(&mut next), Vec::from_iter(0..10));
}

#[test]
fn two_on_one_folder_keep_out_of_each_others_way() {
    let folder = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (open(folder.path()), open(folder.path()));
    append(&mut first, 0..10);
    append(&mut second, 10..20);
    assert_eq!((adopt_all(&mut first, 10), adopt_all(&mut second, 10)), (0, 0));
    assert_eq!(drain(&mut first), Vec::from_iter(0..10));
    first.close();
    assert_eq!(drain(&mut second), Vec::from_iter(10..20));
    second.close();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn of_many_that_adopt_at_once_each_segment_goes_to_one() {
    const THREADS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    for turn in 0..10 {
        orphans(folder.path(), 0..40);
        let barrier = Barrier::new(THREADS);
        let adopt = || {
            barrier.wait();
            // Processes start and end while others adopt.
            let mut spool = open(folder.path());
            adopt_all(&mut spool, 3);
            let mut numbers = drain(&mut spool);
            spool.close();
            barrier.wait();
            // Folders that were skipped because another process was examining them.
            let mut spool = open(folder.path());
            adopt_all(&mut spool, 3);
            numbers.extend(drain(&mut spool));
            numbers
        };
        let numbers = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(adopt)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let mut numbers = numbers.concat();
        let mut last = open(folder.path());
        adopt_all(&mut last, 100);
        numbers.extend(drain(&mut last));
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..40), "turn {turn}");
        last.close();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_thousand_orphans_are_adopted_so_many_a_call() {
    let folder = tempfile::tempdir().unwrap();
    orphans(folder.path(), 0..1_000);
    let mut spool = open(folder.path());
    assert_eq!(spool.segments(), 0, "opening adopts none");
    let living = open(folder.path());
    let mut calls = 0;
    loop {
        calls += 1;
        let adopted = spool.adopt(64).unwrap();
        assert!(adopted.folders <= 64 && adopted.error.is_none());
        if !adopted.has_more {
            break;
        }
    }
    assert_eq!((calls, spool.segments()), (16, 1_000));
    let mut numbers = drain_without_syncing(&mut spool);
    numbers.sort_unstable();
    assert_eq!(numbers, Vec::from_iter(0..1_000));
    living.close();
    spool.close();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Skips the syncs, because a thousand of them would take long.
fn drain_without_syncing(spool: &mut SegmentStore<OsFs>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(loaded) = spool.load_oldest().unwrap() {
        numbers.extend(loaded.items.iter().map(number));
        let SegmentId(segment) = loaded.segment;
        spool.settle(segment).unwrap();
    }
    numbers
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look_inside() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let spool_folder = folder.path().join("above/spool");
    let mut spool = open(&spool_folder);
    append(&mut spool, 0..10);
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut files = 0;
    let mut left = vec![folder.path().join("above")];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert_eq!(files, 1 + spool.segments());
}

#[test]
fn the_folder_of_an_app_does_not_give_its_key_away() {
    let folder = tempfile::tempdir().unwrap();
    let key = "secret-app-key";
    let spool =
        SegmentStore::open(OsFs, SpoolSettings { app: app_folder(key), ..settings(folder.path()) }).unwrap();
    assert!(!spool.folder.path.to_str().unwrap().contains(key));
    // Reports of earlier versions are stored under this name.
    assert_ne!(app_folder(key), app_folder("another"));
    assert_eq!(app_folder(key).to_string(), "dde15338-4232-5637-874b-107b2de79420");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for path in [folder.path().join("file"), folder.path().join("file/below"), "".into(), "a\0b".into()] {
        assert!(SegmentStore::open(OsFs, settings(&path)).is_err(), "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_an_error_unless_modes_mean_nothing_to_us() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let read_only = folder.path().join("spool");
    fs::create_dir(&read_only).unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o500)).unwrap();
    let is_refused = fs::write(read_only.join("probe"), "").is_err();
    assert_eq!(SegmentStore::open(OsFs, settings(&read_only)).is_err(), is_refused);
}

#[test]
fn a_folder_that_goes_while_it_is_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    append(&mut spool, 0..3);
    fs::remove_dir_all(folder.path()).unwrap();
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert_eq!((loaded.items.len(), loaded.corrupt), (0, 1));
    assert!(matches!(spool.append(&items(3..4)).stopped, Some(Stopped::Failed(_))));
    assert!(spool.adopt(10).is_err());
    let _ = spool.remove(loaded.segment);
    spool.close();
}
