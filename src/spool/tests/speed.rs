//! A benchmark to be run by hand, on the folder in `SPEED_FOLDER`: `cargo test --release --lib
//! spool::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::spool::{OsFs, SEGMENT_BYTES};

#[test]
#[ignore = "measures, and asserts nothing about time"]
fn how_fast_records_of_4_kib_are_written_and_read() {
    const ITEMS: u64 = 20_000;
    let place = std::env::var_os("SPEED_FOLDER").map_or_else(std::env::temp_dir, Into::into);
    let all: Vec<_> = (0..ITEMS).map(|number| item(3 * number + 1, 4_000)).collect();
    for batch in [1, 10, 100, 1_000] {
        let folder = tempfile::tempdir_in(&place).unwrap();
        let settings =
            SpoolSettings { max_bytes: 1 << 40, segment_bytes: SEGMENT_BYTES, ..settings(folder.path()) };
        let mut spool = SegmentStore::open(OsFs, settings).unwrap();
        let some = &all[..all.len().min(batch * 1_000)];
        let start = Instant::now();
        for items in some.chunks(batch) {
            assert_eq!(spool.append(items).durable.len(), items.len());
        }
        let (written, bytes) = (start.elapsed(), spool.bytes());
        let start = Instant::now();
        let mut read = 0;
        while let Some(loaded) = spool.load_oldest().unwrap() {
            read += loaded.items.len();
            spool.remove(loaded.segment).unwrap();
        }
        let loaded = start.elapsed();
        assert_eq!(read, some.len());
        let rate = |time: std::time::Duration| some.len() as f64 / time.as_secs_f64();
        println!(
            "{} records, {} MB, a sync every {batch}: {:.0} written/s, {:.0} loaded and removed/s",
            some.len(),
            bytes / 1_000_000,
            rate(written),
            rate(loaded)
        );
    }
}
