//! Planted files that are special nodes or links.

use std::fs::create_dir;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test(start_paused = true)]
async fn planted_nodes_that_are_no_files_are_left_where_they_are() {
    let spool = tempfile::tempdir().unwrap();
    let folder = locked(spool.path());
    let path = |number| folder.join(segment(number));
    write(spool.path().join("mine"), "mine").unwrap();
    fifo(&path(1));
    create_dir(path(2)).unwrap();
    symlink("/etc/passwd", path(3)).unwrap();
    // Created elsewhere, because the path of a socket has to be short.
    let _socket = UnixListener::bind(spool.path().join("socket")).unwrap();
    fs::rename(spool.path().join("socket"), path(5)).unwrap();
    write(path(6), segment_of([good(1)])).unwrap();
    fs::hard_link(spool.path().join("mine"), path(7)).unwrap();
    write(folder.join("notes.txt"), "mine").unwrap();
    write(path(8), "").unwrap();
    symlink("/nowhere", path(9)).unwrap();
    create_dir_all(folder.join("sub/deep")).unwrap();
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent, verdict.stats.spool_failures, aside(spool.path())), (vec![1], 1, 1));
    assert_eq!(fs::read(spool.path().join("mine")).unwrap(), b"mine", "only its other name was moved");
    let left = fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 8, "nodes, lock, notes and folder");
}

#[tokio::test(start_paused = true)]
async fn planted_locks_that_are_no_files_are_not_touched_and_named() {
    let spool = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let precious = elsewhere.path().join("precious");
    write(&precious, "precious").unwrap();
    let plant: [&dyn Fn(&Path); 5] = [
        &fifo,
        &|lock| create_dir(lock).unwrap(),
        &|lock| symlink(&precious, lock).unwrap(),
        &|lock| symlink(elsewhere.path().join("new"), lock).unwrap(),
        &|_| {},
    ];
    for (number, plant) in (1..).zip(plant) {
        let folder = dead(spool.path());
        plant(&folder.join("lock"));
        write(folder.join(segment(1)), segment_of([good(number)])).unwrap();
    }
    let Verdict { sent, log, .. } = judge(spool.path()).await;
    assert_eq!(sent, [5], "the one that had no lock");
    assert!(log.len() == 1 && log[0].contains("lock") && log[0].contains("is no file"), "{log:#?}");
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing was made");
}

#[tokio::test(start_paused = true)]
async fn planted_process_folders_that_are_links_are_refused_and_named() {
    let spool = tempfile::tempdir().unwrap();
    let victim = tempfile::tempdir().unwrap();
    write(victim.path().join("lock"), "").unwrap();
    write(victim.path().join(segment(1)), segment_of([good(1)])).unwrap();
    write(locked(spool.path()).join(segment(1)), segment_of([good(2)])).unwrap();
    let names = [(); 3].map(|()| app(spool.path()).join(Uuid::new_v4().to_string()));
    symlink(victim.path(), &names[0]).unwrap();
    fifo(&names[1]);
    write(&names[2], "a file").unwrap();
    let Verdict { sent, log, .. } = judge(spool.path()).await;
    assert_eq!((sent, log.len()), (vec![2], 1));
    for name in names {
        assert!(log[0].contains(name.to_str().unwrap()) && fs::symlink_metadata(&name).is_ok(), "{log:#?}");
    }
    assert_eq!(fs::read_dir(victim.path()).unwrap().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_planted_app_folder_that_is_a_link_is_refused_and_named() {
    let spool = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), app(spool.path())).unwrap();
    let Verdict { log, stats, .. } = judge(spool.path()).await;
    assert!(log.len() == 1 && log[0].contains(app(spool.path()).to_str().unwrap()), "{log:#?}");
    assert!(log[0].contains("symbolic link") && stats.spool_failures > 0, "{log:#?}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_planted_files_that_were_set_aside_sixteen_are_kept_and_links_are_not_followed() {
    let spool = tempfile::tempdir().unwrap();
    let precious = spool.path().join("precious");
    write(&precious, "precious").unwrap();
    create_dir(app(spool.path())).unwrap();
    let name = |number: u64| format!("{}-{number:020}.seg.corrupt", Uuid::new_v4());
    for number in 1..=40 {
        write(app(spool.path()).join(name(number)), "x").unwrap();
    }
    let link = app(spool.path()).join(name(99));
    symlink(&precious, &link).unwrap();
    let verdict = judge(spool.path()).await;
    assert_eq!((verdict.sent.len(), aside(spool.path())), (0, 17));
    assert!(fs::read(&precious).unwrap() == b"precious" && link.exists());
}
