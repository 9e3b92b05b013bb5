//! Segments that were damaged, byte by byte.

use super::*;
use crate::delivery::spool::record::{HEAD, MARKER};
use crate::delivery::spool::segment::{HEADER, decode, header};

/// A segment of five items, and where their records end.
fn segment() -> (Vec<u8>, Vec<usize>) {
    let mut segment = header();
    let mut ends = Vec::new();
    for item in items(0..5) {
        item.encode(&mut segment).unwrap();
        ends.push(segment.len());
    }
    (segment, ends)
}

fn numbers(segment: &[u8]) -> (Vec<u64>, u64) {
    let decoded = decode(segment);
    (decoded.items.iter().map(number).collect(), decoded.corrupt)
}

#[test]
fn a_damaged_byte_costs_the_record_it_is_in_and_no_other() {
    let (segment, ends) = segment();
    for at in 0..segment.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut damaged = segment.clone();
            damaged[at] ^= flip;
            let (read, corrupt) = numbers(&damaged);
            let hit = (at >= HEADER).then(|| ends.iter().position(|end| at < *end).unwrap() as u64);
            assert_eq!(read, Vec::from_iter((0..5).filter(|number| Some(*number) != hit)), "byte {at}");
            // A last record that says to be longer than the file cannot be told from one that was cut off.
            let may_look_torn = (ends[3] + 8..ends[3] + 12).contains(&at);
            assert!(corrupt == 1 || corrupt == 0 && may_look_torn, "byte {at} of {ends:?}: {corrupt}");
        }
    }
}

#[test]
fn a_segment_cut_off_anywhere_has_all_records_before_and_counts_as_torn() {
    let (segment, ends) = segment();
    for length in 0..segment.len() {
        let whole = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(numbers(&segment[..length]), (Vec::from_iter(0..whole), 0), "{length} bytes");
        let zeros = [&segment[..length], &[0; 64]].concat();
        assert_eq!(numbers(&zeros).0, Vec::from_iter(0..whole), "{length} bytes, then zeros");
    }
}

#[test]
fn a_segment_that_lacks_its_beginning_has_all_records_after() {
    let (segment, ends) = segment();
    for start in 1..segment.len() {
        let starts = std::iter::once(HEADER).chain(ends.iter().copied());
        let missing = starts.take(5).filter(|record| *record < start).count() as u64;
        let (read, corrupt) = numbers(&segment[start..]);
        assert_eq!(read, Vec::from_iter(missing..5), "from byte {start}");
        assert!(corrupt <= 1);
    }
}

#[test]
fn records_are_found_between_garbage() {
    let (mut segment, mut expected) = (header(), Vec::new());
    let (head, tail) = MARKER.split_at(5);
    let huge = [MARKER, &[0xFF; 4][..], &[0; 40]].concat();
    let garbage = [&b"\0\0\0"[..], head, tail, MARKER, &huge, &segment.clone(), &[0xFF; 100]];
    for (number, garbage) in garbage.iter().enumerate() {
        segment.extend_from_slice(garbage);
        item(number as u64, 20).encode(&mut segment).unwrap();
        expected.push(number as u64);
    }
    assert_eq!(numbers(&segment), (expected, 7));
}

#[test]
fn a_length_of_four_gigabytes_is_neither_believed_nor_allocated() {
    let huge = [&header()[..], MARKER, &[0xFF; 8]].concat();
    assert_eq!(numbers(&huge), (vec![], 0));
    let (record, _) = segment();
    assert_eq!(numbers(&[&huge, &record[HEADER..]].concat()), (Vec::from_iter(0..5), 1));
}

#[test]
fn nothing_takes_longer_than_its_length() {
    // A million markers, each with a length up to the end: only what is before the next is summed up.
    let mut hostile = header();
    for left in (0..1_000_000_u32).rev() {
        hostile.extend_from_slice(MARKER);
        hostile.extend_from_slice(&(left * 16).to_le_bytes());
        hostile.extend_from_slice(&[1; 4]);
    }
    assert_eq!(numbers(&hostile), (vec![], 1_000_000));
}

#[test]
fn content_cannot_look_like_a_record() {
    let text = String::from_utf8_lossy(MARKER).into_owned();
    assert_ne!(text.as_bytes(), MARKER);
    assert!(!MARKER[1..].contains(&MARKER[0]), "no two of them overlap");
    let json = Bytes::from([br#"{"reconify":{},"a":""#, &MARKER[..], b"\"}"].concat());
    assert!(Report::restore(Uuid::nil(), json, 13, false).is_none(), "it is no UTF-8");
}

#[test]
fn an_id_that_looks_like_a_marker_is_not_written() {
    let mut id = [0; 16];
    id[3..11].copy_from_slice(MARKER);
    let report = Report::restore(Uuid::from_bytes(id), Bytes::from(r#"{"reconify":{}}"#), 13, false).unwrap();
    let mut record = b"before".to_vec();
    Item { created_ms: 0, flags: 0, reports: vec![report] }.encode(&mut record).unwrap_err();
    assert_eq!(record, b"before");
}

/// A record with a right checksum.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let sum = crate::delivery::spool::record::checksum(length, payload).to_le_bytes();
    [&header()[..], MARKER, &length, &sum, payload].concat()
}

#[test]
fn a_record_is_corrupt_unless_keys_go_where_they_belong() {
    let payload = |json: &[u8], keys_at: u32, is_upload: u8, count: u32| {
        let head = [&7_u64.to_le_bytes()[..], &[0], &count.to_le_bytes(), &[1; 16], &[is_upload]].concat();
        let length = u32::try_from(json.len()).unwrap().to_le_bytes();
        [&head[..], &keys_at.to_le_bytes(), &length, json].concat()
    };
    let json = r#"{"reconify":{},"ü":1}"#.as_bytes();
    let sound = payload(json, 13, 0, 1);
    assert_eq!(decode(&record(&sound)).items.len(), 1);
    let unsound = [
        payload(json, 12, 0, 1),
        payload(json, 17, 0, 1),
        payload(json, 1_000, 0, 1),
        payload(json, u32::MAX, 0, 1),
        payload(json, 13, 2, 1),
        payload(json, 13, 0, 0),
        payload(json, 13, 0, 2),
        payload(json, 13, 0, u32::MAX),
        payload(br#"{"reconify":[}}"#, 13, 0, 1),
        payload(b"{\"reconify\":{}\xFF}", 13, 0, 1),
        payload(b"", 0, 0, 1),
        sound[..sound.len() - 1].to_vec(),
        [&sound[..], b" "].concat(),
        Vec::new(),
    ];
    for payload in unsound {
        let decoded = decode(&record(&payload));
        assert_eq!((decoded.items.len(), decoded.corrupt), (0, 1), "{payload:?}");
    }
}

#[test]
fn a_segment_of_another_version_is_not_read() {
    let (segment, _) = segment();
    let mut newer = header();
    newer[8] = 2;
    let sum = crate::delivery::spool::record::checksum(&newer[..12], &[]).to_le_bytes();
    newer[12..].copy_from_slice(&sum);
    newer.extend_from_slice(&segment[HEADER..]);
    assert_eq!(numbers(&newer), (vec![], 1));
}

#[test]
fn the_format_is_as_it_was_written_down() {
    let json = r#"{"reconify":{}}"#;
    let report = Report::restore(Uuid::from_u128(0xA5), Bytes::from(json), 13, true).unwrap();
    let mut written = header();
    Item { created_ms: 0x0102, flags: 3, reports: vec![report] }.encode(&mut written).unwrap();
    let mut expected = b"\x89RCSPOOL\x01\0\0\0".to_vec();
    expected.extend_from_slice(&crc32fast::hash(&expected.clone()).to_le_bytes());
    let mut payload = b"\x02\x01\0\0\0\0\0\0\x03\x01\0\0\0".to_vec();
    payload.extend_from_slice(&[&[0; 15][..], b"\xA5\x01\x0D\0\0\0\x0F\0\0\0", json.as_bytes()].concat());
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let sum = crc32fast::hash(&[&length[..], &payload].concat()).to_le_bytes();
    expected.extend_from_slice(&[b"\xFFREC\r\n\0\x01", &length[..], &sum, &payload].concat());
    assert_eq!(written, expected);
    assert_eq!(written.len(), HEADER + HEAD + payload.len());
}
