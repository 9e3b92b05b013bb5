//! The length of segments, and which longer files are read.

use super::*;
use crate::spool::record::{HEAD, LARGEST, MARKER};
use crate::spool::segment::{HEADER, header};
use crate::spool::{SEGMENT_BYTES, SEGMENT_ITEMS};

const MIB: usize = SEGMENT_BYTES as usize;

/// Opens a spool with segments of the real length.
fn real(disk: &SimFs) -> SegmentStore<SimFs> {
    let settings = SpoolSettings { max_bytes: 1 << 30, segment_bytes: SEGMENT_BYTES, ..settings("/spool") };
    SegmentStore::open(disk.process(), settings).unwrap()
}

fn encoded(item: &SpooledItem) -> Vec<u8> {
    let mut record = Vec::new();
    item.encode(&mut record).unwrap();
    record
}

/// Adopts a segment of a dead process. Returns the numbers read, the corrupt ranges and the size of
/// the largest read.
fn adopted(segment: Vec<u8>) -> (Vec<u64>, u64, usize) {
    let disk = SimFs::new(1);
    let mut dead = real(&disk);
    append(&mut dead, 0..1);
    disk.edit(&dead.folder.segment(1), |data| *data = segment);
    dead.disk.kill();
    let mut spool = real(&disk);
    adopt_all(&mut spool, 1);
    let loaded = spool.load_oldest().unwrap();
    let (items, corrupt) = loaded.map_or((Vec::new(), 0), |loaded| (loaded.items, loaded.corrupt));
    (items.iter().map(number).collect(), corrupt, disk.largest_read())
}

#[test]
fn no_segment_that_is_written_has_more_than_512_records_or_several_in_more_than_a_mebibyte() {
    let disk = SimFs::new(1);
    let mut spool = real(&disk);
    let exact = MIB - HEADER - encoded(&item(1, 0)).len();
    // Many small items, items around the limit, alone and after a small one, a large item among
    // small ones, and items of random sizes.
    let mut lengths = vec![0; 1_200];
    for length in [exact - 1, exact, exact + 1, 2 * MIB, 3 * MIB, MIB / 2, MIB / 2] {
        lengths.extend([length, 0, length, length]);
    }
    let mut random = fastrand::Rng::with_seed(7);
    lengths.extend(std::iter::repeat_with(|| 1 << random.u32(4..21)).take(60));
    // No number is a multiple of three, because those items have two reports.
    let items: Vec<_> = lengths.iter().zip(0..).map(|(length, at)| item(3 * at + 1, *length)).collect();
    for batch in items.chunks(256) {
        assert_eq!(spool.append(batch).durable.len(), batch.len());
    }
    spool.rewrite(&items[..600]);
    let (mut longest, mut most) = (0, 0);
    for path in disk.paths().iter().filter(|path| path.extension().is_some()) {
        let bytes = disk.read(path, u64::MAX).unwrap();
        let records = memchr::memmem::find_iter(&bytes, MARKER).count();
        assert!(
            records <= SEGMENT_ITEMS && (records == 1 || bytes.len() <= MIB),
            "{records} in {}",
            bytes.len()
        );
        (longest, most) = (longest.max(bytes.len()), most.max(records));
    }
    assert!(longest > 3 * MIB && most == SEGMENT_ITEMS, "both limits are reached");
    spool.disk.kill();
    let mut next = real(&disk);
    adopt_all(&mut next, 1);
    let again = &items[..600];
    assert_eq!(drain(&mut next), Vec::from_iter(items.iter().chain(again).map(number)), "and all are read");
}

#[test]
fn a_segment_with_more_records_than_a_writer_puts_into_one_is_not_read() {
    let segment = |records| [header(), encoded(&item(1, 0)).repeat(records)].concat();
    assert_eq!(adopted(segment(512)).0.len(), 512);
    let (items, corrupt, _) = adopted(segment(513));
    assert_eq!((items, corrupt), (vec![], 1));
    let (items, corrupt, read) = adopted(segment(100_000));
    assert_eq!((items, corrupt), (vec![], 1));
    assert_eq!(read, MIB + 1, "not more than it takes to see that it is too long");
}

#[test]
fn a_segment_with_several_records_is_not_read_beyond_a_mebibyte() {
    let (small, large) = (encoded(&item(1, 0)), encoded(&item(2, 3 * MIB)));
    let single = [header(), large.clone()].concat();
    assert_eq!(adopted(single.clone()), (vec![2], 0, single.len()));
    let several = [
        [header(), large.clone(), small.clone()].concat(),
        [header(), small.clone(), large.clone()].concat(),
    ];
    for segment in several {
        let (items, corrupt, read) = adopted(segment);
        assert_eq!((items, corrupt), (vec![], 1));
        assert!(read <= single.len() + 1, "{read}");
    }
    // A record that claims to be the only one, with others inside.
    let inside = [&small[..], &large].concat();
    let length = u32::try_from(inside.len()).unwrap().to_le_bytes();
    let claimed = [&header()[..], MARKER, &length, &[0; 4], &inside].concat();
    assert_eq!(adopted(claimed).1, 1);
    // A truncated record was never acknowledged.
    assert_eq!(adopted(single[..2 * MIB].to_vec()), (vec![], 0, 2 * MIB));
}

#[test]
fn of_a_long_file_that_is_no_segment_only_the_beginning_is_read() {
    let record =
        |length: usize| [MARKER, &u32::try_from(length).unwrap().to_le_bytes()[..], &[0; 4]].concat();
    let planted = [
        vec![0; 4 * MIB],
        [header(), vec![0; 4 * MIB]].concat(),
        [header(), MARKER.repeat(4 * MIB / MARKER.len())].concat(),
        [header(), record(LARGEST - HEAD + 1), vec![0; 4 * MIB]].concat(),
        [header(), record(u32::MAX as usize), vec![0; 4 * MIB]].concat(),
        [header(), record(100), vec![0; 4 * MIB]].concat(),
    ];
    for (which, segment) in planted.into_iter().enumerate() {
        assert_eq!(adopted(segment), (vec![], 1, MIB + 1), "{which}");
    }
}
