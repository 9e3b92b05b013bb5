//! Foreign files and folders in the spool.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::spool::OsFs;
use crate::spool::segment::header;

/// Creates the folder of a dead process, with one segment of items 0 and 1. Returns it and the
/// app's folder.
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

    let mut spool = SegmentStore::open(OsFs, settings(spool.path())).unwrap();
    assert_eq!(adopt_all(&mut spool, 10), 1);
    assert_eq!(drain(&mut spool), [0, 1]);
    spool.close();
    let left: Vec<_> = before.into_iter().filter(|name| name != "00000000000000000007.seg").collect();
    assert_eq!(names(&dead), left);
    assert_eq!(names(&app), beside);
}

#[cfg(unix)]
mod unix {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn symbolic_links_are_not_followed() {
        let spool = tempfile::tempdir().unwrap();
        let (dead, app) = orphan(spool.path());
        let precious = spool.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::copy(dead.join("00000000000000000007.seg"), precious.join("00000000000000000001.seg")).unwrap();
        fs::write(precious.join("lock"), "").unwrap();
        symlink(precious.join("00000000000000000001.seg"), dead.join("00000000000000000001.seg")).unwrap();
        let link = app.join(Uuid::new_v4().to_string());
        symlink(&precious, &link).unwrap();
        // A folder whose lock is a link.
        let odd = app.join(Uuid::new_v4().to_string());
        fs::create_dir(&odd).unwrap();
        symlink(precious.join("lock"), odd.join("lock")).unwrap();
        fs::copy(dead.join("00000000000000000007.seg"), odd.join("00000000000000000001.seg")).unwrap();

        let mut spool = SegmentStore::open(OsFs, settings(spool.path())).unwrap();
        let adopted = spool.adopt(10).unwrap();
        assert_eq!((adopted.folders, adopted.has_more), (1, false));
        let error = adopted.error.unwrap().to_string();
        assert!(error.contains(&format!("{link:?}")) && error.contains("symbolic link"), "{error}");
        assert_eq!(drain(&mut spool), [0, 1]);
        assert_eq!(names(&precious), ["00000000000000000001.seg", "lock"]);
        assert_eq!(names(&odd), ["00000000000000000001.seg", "lock"]);
    }

    #[test]
    fn an_app_folder_that_is_a_link_is_refused_and_named() {
        let (spool, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let app = spool.path().join(app_folder("app").to_string());
        for target in [elsewhere.path().to_owned(), spool.path().join("nowhere")] {
            symlink(&target, &app).unwrap();
            let error = SegmentStore::open(OsFs, settings(spool.path())).unwrap_err().to_string();
            assert!(error.contains(&format!("{app:?}")) && error.contains("symbolic link"), "{error}");
            fs::remove_file(&app).unwrap();
        }
        assert_eq!((names(elsewhere.path()).len(), names(spool.path()).len()), (0, 0));
    }

    #[test]
    fn the_configured_folder_may_be_a_link_but_not_one_that_everybody_can_change() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        // Modes with group access, and world-writable with a sticky bit, which protects this user's
        // entries.
        for mode in [0o700, 0o755, 0o2775, 0o1777] {
            fs::set_permissions(&real, Permissions::from_mode(mode)).unwrap();
            SegmentStore::open(OsFs, settings(&link)).unwrap().close();
        }
        for mode in [0o777, 0o702] {
            fs::set_permissions(&real, Permissions::from_mode(mode)).unwrap();
            for path in [&real, &link] {
                let error = SegmentStore::open(OsFs, settings(path)).unwrap_err().to_string();
                assert!(error.contains(&format!("{path:?}")) && error.contains("everybody"), "{error}");
            }
        }
        assert_eq!(names(&real).len(), 0);
    }

    #[test]
    fn folders_that_everybody_can_change_are_refused() {
        let spool = tempfile::tempdir().unwrap();
        let (dead, app) = orphan(spool.path());
        fs::set_permissions(&dead, Permissions::from_mode(0o777)).unwrap();
        let mut first = SegmentStore::open(OsFs, settings(spool.path())).unwrap();
        let error = first.adopt(10).unwrap().error.unwrap().to_string();
        assert!(error.contains(&format!("{dead:?}")) && first.segments() == 0, "{error}");
        fs::set_permissions(&app, Permissions::from_mode(0o777)).unwrap();
        let error = SegmentStore::open(OsFs, settings(spool.path())).unwrap_err().to_string();
        assert!(error.contains(&format!("{app:?}")), "{error}");
    }

    #[test]
    fn of_many_refused_folders_a_few_are_named_and_the_others_counted() {
        let spool = tempfile::tempdir().unwrap();
        let (_, app) = orphan(spool.path());
        for _ in 0..100 {
            symlink("/nowhere", app.join(Uuid::new_v4().to_string())).unwrap();
        }
        let mut spool = SegmentStore::open(OsFs, settings(spool.path())).unwrap();
        let adopted = spool.adopt(10).unwrap();
        let error = adopted.error.unwrap().to_string();
        assert!(error.matches("symbolic link").count() == 4 && error.ends_with("96 more"), "{error}");
        assert_eq!((adopted.folders, adopted.has_more), (1, false));
    }
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

    let mut spool = SegmentStore::open(OsFs, settings(spool.path())).unwrap();
    assert_eq!(adopt_all(&mut spool, 100), 21);
    assert_eq!(spool.segments(), 23);
    append(&mut spool, 2..4);
    assert_eq!(drain(&mut spool), [0, 1, 2, 3]);
    spool.close();
    assert!(!app.exists());
}

#[test]
fn numbers_that_have_run_out_are_an_error() {
    let disk = SimFs::new(1);
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
    // A sparse file, which takes no space.
    let file = fs::File::create(dead.join("00000000000000000001.seg")).unwrap();
    file.set_len(crate::spool::record::LARGEST as u64 + 100).unwrap();

    let mut spool =
        SegmentStore::open(OsFs, SpoolSettings { max_bytes: 1 << 40, ..settings(spool.path()) }).unwrap();
    adopt_all(&mut spool, 10);
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert_eq!((loaded.items.len(), loaded.corrupt, loaded.is_foreign), (0, 1, true));
    spool.remove(loaded.segment).unwrap();
    assert_eq!(drain(&mut spool), [0, 1]);
    spool.close();
    assert_eq!(names(&app).len(), 1);
    assert!(names(&app)[0].ends_with("-00000000000000000001.seg.corrupt"));
}
