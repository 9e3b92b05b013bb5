//! What else may lie in the folders.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::delivery::spool::RealDisk;
use crate::delivery::spool::segment::header;

/// The folder of a dead process with a segment of items 0 to 1, and that of its app.
fn orphan(spool: &Path) -> (PathBuf, PathBuf) {
    let app = spool.join(app_folder("app").to_string());
    let dead = app.join(Uuid::new_v4().to_string());
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    let mut segment = header();
    items(0..2).iter().for_each(|item| item.encode(&mut segment).unwrap());
    fs::write(dead.join("00000000000000000007.seg"), segment).unwrap();
    (dead, app)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_not_ours_is_left_where_it_is() {
    let spool = tempfile::tempdir().unwrap();
    let (dead, app) = orphan(spool.path());
    let strangers = [
        "notes.txt",
        "7.seg",
        "0000000000000000000x.seg",
        "99999999999999999999.seg", // More than a u64.
        "000000000000000000001.seg",
        "00000000000000000001.SEG",
        "00000000000000000001.seg.tmp",
        "notes.seg.corrupt",
    ];
    for name in strangers {
        fs::write(dead.join(name), "a stranger").unwrap();
        fs::write(app.join(name), "a stranger").unwrap();
    }
    fs::create_dir(dead.join("00000000000000000001.seg")).unwrap();
    fs::create_dir(app.join("not-a-uuid")).unwrap();
    fs::create_dir(app.join(Uuid::new_v4().simple().to_string())).unwrap();
    fs::write(app.join(Uuid::new_v4().to_string()), "a file").unwrap();
    let (before, beside) = (names(&dead), names(&app));

    let mut spool = Spool::open(RealDisk, settings(spool.path())).unwrap();
    assert_eq!(adopt_all(&mut spool, 10), 1);
    assert_eq!(drain(&mut spool), [0, 1]);
    spool.close();
    let left: Vec<_> = before.into_iter().filter(|name| name != "00000000000000000007.seg").collect();
    assert_eq!(names(&dead), left);
    assert_eq!(names(&app), beside);
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_followed() {
    use std::os::unix::fs::symlink;

    let spool = tempfile::tempdir().unwrap();
    let (dead, app) = orphan(spool.path());
    let precious = spool.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::copy(dead.join("00000000000000000007.seg"), precious.join("00000000000000000001.seg")).unwrap();
    fs::write(precious.join("lock"), "").unwrap();
    symlink(precious.join("00000000000000000001.seg"), dead.join("00000000000000000001.seg")).unwrap();
    symlink(&precious, app.join(Uuid::new_v4().to_string())).unwrap();
    // One with a lock that is a link.
    let odd = app.join(Uuid::new_v4().to_string());
    fs::create_dir(&odd).unwrap();
    symlink(precious.join("lock"), odd.join("lock")).unwrap();
    fs::copy(dead.join("00000000000000000007.seg"), odd.join("00000000000000000001.seg")).unwrap();

    let mut spool = Spool::open(RealDisk, settings(spool.path())).unwrap();
    assert_eq!(adopt_all(&mut spool, 10), 1);
    assert_eq!(drain(&mut spool), [0, 1]);
    assert_eq!(names(&precious), ["00000000000000000001.seg", "lock"]);
    assert_eq!(names(&odd), ["00000000000000000001.seg", "lock"]);
}

#[test]
fn empty_and_last_segments_are_adopted_and_get_numbers_of_their_own() {
    let spool = tempfile::tempdir().unwrap();
    let (dead, app) = orphan(spool.path());
    fs::rename(dead.join("00000000000000000007.seg"), dead.join(format!("{}.seg", u64::MAX))).unwrap();
    fs::write(dead.join("00000000000000000001.seg"), "").unwrap();
    fs::write(dead.join("00000000000000000002.seg"), &header()[..7]).unwrap();
    for _ in 0..20 {
        let empty = app.join(Uuid::new_v4().to_string());
        fs::create_dir(&empty).unwrap();
        fs::write(empty.join("lock"), "").unwrap();
        fs::write(empty.join("00000000000000000001.seg"), header()).unwrap();
    }

    let mut spool = Spool::open(RealDisk, settings(spool.path())).unwrap();
    assert_eq!(adopt_all(&mut spool, 100), 21);
    assert_eq!(spool.segments(), 23);
    append(&mut spool, 2..4);
    assert_eq!(drain(&mut spool), [0, 1, 2, 3]);
    spool.close();
    assert!(!app.exists());
}

#[test]
fn numbers_that_have_run_out_are_an_error() {
    let disk = SimulatedDisk::new(1);
    let mut spool = open(&disk);
    spool.last = u64::MAX - 1;
    append(&mut spool, 0..1);
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert!(matches!(spool.append(&items(1..2)).stopped, Some(Stopped::Failed(_))));
    let mut other = open(&disk);
    append(&mut other, 1..2);
    other.disk.kill();
    assert!(spool.adopt(10).unwrap().error.is_some());
    spool.remove(loaded.segment).unwrap();
    drop(spool);
    let mut next = open(&disk);
    adopt_all(&mut next, 10);
    assert_eq!(drain(&mut next), [1]);
}

#[test]
fn a_segment_longer_than_any_can_be_is_set_aside_unread() {
    let spool = tempfile::tempdir().unwrap();
    let (dead, app) = orphan(spool.path());
    // A file with a hole: it takes up no space.
    let file = fs::File::create(dead.join("00000000000000000001.seg")).unwrap();
    file.set_len(crate::delivery::spool::record::LARGEST as u64 + 100).unwrap();

    let mut spool = Spool::open(RealDisk, Settings { max_bytes: 1 << 40, ..settings(spool.path()) }).unwrap();
    adopt_all(&mut spool, 10);
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert_eq!((loaded.items.len(), loaded.corrupt, loaded.is_foreign), (0, 1, true));
    spool.remove(loaded.segment).unwrap();
    assert_eq!(drain(&mut spool), [0, 1]);
    spool.close();
    assert_eq!(names(&app).len(), 1);
    assert!(names(&app)[0].ends_with("-00000000000000000001.seg.corrupt"));
}
