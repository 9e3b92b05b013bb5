mod adoption;
mod appending;
mod bounds;
mod damage;
mod model;
mod names;
mod real;
mod sim_fs;
mod speed;

use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use self::sim_fs::SimFs;
use super::{Appended, Fs, SegmentStore, SpoolSettings, SpooledItem, Stopped, app_folder};
use crate::report::Report;

impl<D: Fs> SegmentStore<D> {
    fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Releases the folder, and removes it if it is empty, as dropping does.
    fn close(self) {}
}

/// The start of each report, and the position of the keys in it.
const BEGINNING: &str = r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0"}"#;
const KEYS_AT: usize = BEGINNING.len() - 1;

/// Makes a report with the given fields after its start.
fn report(id: u128, fields: &str, is_upload: bool) -> Report {
    let json = format!("{BEGINNING}{fields}}}");
    Report::restore(Uuid::from_u128(id), Bytes::from(json), KEYS_AT, is_upload).unwrap()
}

/// Makes an item with a numbered report of the given number of letters. Every third item also has
/// an image upload.
fn item(number: u64, letters: usize) -> SpooledItem {
    let report = |is_upload| {
        let fields = format!(r#","number":{number},"ü":"{}""#, "x".repeat(letters));
        report(u128::from(number) << 64 | u128::from(is_upload), &fields, is_upload)
    };
    let reports =
        if number.is_multiple_of(3) { vec![report(false), report(true)] } else { vec![report(false)] };
    SpooledItem { created_ms: 1_700_000_000_000 + number, flags: (number % 2) as u8, reports }
}

/// The number of an item, which must be unchanged.
fn number(read: &SpooledItem) -> u64 {
    let number = read.created_ms - 1_700_000_000_000;
    let letters = read.reports[0].json().matches('x').count();
    let made = item(number, letters);
    assert_eq!((read.flags, read.reports.len()), (made.flags, made.reports.len()));
    for (read, made) in read.reports.iter().zip(&made.reports) {
        assert_eq!((read.id(), read.is_image_upload()), (made.id(), made.is_image_upload()));
        assert_eq!((read.json(), read.around_keys()), (made.json(), made.around_keys()));
    }
    number
}

fn items(numbers: std::ops::Range<u64>) -> Vec<SpooledItem> {
    numbers.map(|number| item(number, 20)).collect()
}

/// A segment has room for four small items.
fn settings(folder: impl AsRef<Path>) -> SpoolSettings {
    SpoolSettings {
        folder: folder.as_ref().to_owned(),
        app: app_folder("app"),
        max_bytes: 1024 * 1024,
        segment_bytes: 850,
    }
}

fn open(disk: &SimFs) -> SegmentStore<SimFs> {
    SegmentStore::open(disk.process(), settings("/spool")).unwrap()
}

/// Appends items that must all be acknowledged.
fn append<D: Fs>(spool: &mut SegmentStore<D>, numbers: std::ops::Range<u64>) {
    let items = items(numbers);
    let Appended { durable, stopped } = spool.append(&items);
    assert!(stopped.is_none(), "{stopped:?}");
    assert_eq!(durable.len(), items.len());
}

/// Loads and removes all segments. Returns the numbers in order.
fn drain<D: Fs>(spool: &mut SegmentStore<D>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(loaded) = spool.load_oldest().unwrap() {
        assert_eq!(loaded.corrupt, 0);
        numbers.extend(loaded.items.iter().map(number));
        spool.remove(loaded.segment).unwrap();
    }
    numbers
}

/// Adopts until a round is complete, with up to `at_most` folders a call. Returns the number of
/// adopted folders.
fn adopt_all<D: Fs>(spool: &mut SegmentStore<D>, at_most: usize) -> usize {
    let mut folders = 0;
    loop {
        let adopted = spool.adopt(at_most).unwrap();
        assert!(adopted.folders <= at_most, "a call is bounded");
        folders += adopted.folders;
        if !adopted.has_more {
            return folders;
        }
    }
}

#[test]
fn what_was_appended_comes_back_in_order_and_nothing_is_left_of_it() {
    let disk = SimFs::new(1);
    let mut spool = open(&disk);
    append(&mut spool, 0..3);
    append(&mut spool, 3..30);
    assert!(spool.segments() > 5);
    assert_eq!(drain(&mut spool), Vec::from_iter(0..30));
    assert_eq!((spool.bytes(), spool.segments()), (0, 0));
    spool.close();
    assert_eq!(disk.paths(), [Path::new("/"), Path::new("/spool")]);
}

#[test]
fn a_segment_is_out_once_until_it_is_released() {
    let mut spool = open(&SimFs::new(1));
    append(&mut spool, 0..2);
    let loaded = spool.load_oldest().unwrap().unwrap();
    assert!(!loaded.is_foreign);
    assert!(spool.load_oldest().unwrap().is_none());
    append(&mut spool, 2..3); // Into a new one: others may be reading the first.
    spool.release(loaded.segment);
    assert_eq!(drain(&mut spool), [0, 1, 2]);
}

#[test]
fn what_is_in_memory_is_not_loaded() {
    let mut spool = open(&SimFs::new(1));
    let appended = spool.append(&items(0..2));
    spool.hold(appended.durable[0]);
    assert!(spool.load_oldest().unwrap().is_none());
    spool.remove(appended.durable[0]).unwrap();
    spool.remove(appended.durable[0]).unwrap();
    append(&mut spool, 2..4);
    assert_eq!(drain(&mut spool), [2, 3]);
}

#[test]
fn the_cap_holds_and_what_fitted_is_safe() {
    let disk = SimFs::new(1);
    let mut spool =
        SegmentStore::open(disk.process(), SpoolSettings { max_bytes: 2_000, ..settings("/spool") }).unwrap();
    let all = items(0..100);
    let appended = spool.append(&all);
    assert!(matches!(appended.stopped, Some(Stopped::Full)));
    let fitted = appended.durable.len() as u64;
    assert!((5..100).contains(&fitted) && spool.bytes() <= 2_000, "{fitted}");
    let on_disk: usize =
        disk.paths().iter().filter_map(|path| disk.read(path, 10_000).ok()).map(|b| b.len()).sum();
    assert_eq!(spool.bytes(), on_disk as u64);
    assert!(matches!(spool.append(&all).stopped, Some(Stopped::Full)));
    assert_eq!(drain(&mut spool), Vec::from_iter(0..fitted));
    append(&mut spool, 0..3);
}

#[test]
fn an_item_that_never_fits_is_told_from_one_that_does_not_fit_now() {
    let settings = SpoolSettings { max_bytes: 2_000, ..settings("/spool") };
    let mut spool = SegmentStore::open(SimFs::new(1), settings).unwrap();
    let nothing = SpooledItem { reports: Vec::new(), ..item(1, 1) };
    for oversized in [item(1, 5_000), nothing] {
        let appended = spool.append([&item(0, 1), &oversized, &item(2, 1)]);
        assert!(matches!(appended.stopped, Some(Stopped::Oversized)));
        assert_eq!(appended.durable.len(), 1);
        assert_eq!(drain(&mut spool), [0]);
    }
}

#[test]
fn an_item_longer_than_a_segment_has_one_to_itself() {
    let mut spool = open(&SimFs::new(1));
    let appended = spool.append([&item(0, 1), &item(1, 5_000), &item(2, 1)]);
    assert_eq!(appended.durable.len(), 3);
    assert!(appended.durable.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(drain(&mut spool), [0, 1, 2]);
}

#[test]
fn a_spool_can_be_handed_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&open(&SimFs::new(1)));
    is_send(&None::<SegmentStore<super::OsFs>>);
}
