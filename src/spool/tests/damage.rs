//! Segments damaged byte by byte.

use super::*;
use crate::spool::record::{HEAD, MARKER};
use crate::spool::segment::{DecodedSegment, HEADER, header};
use crate::spool::{SEGMENT_ITEMS, segment};

fn decode(bytes: &[u8]) -> DecodedSegment {
    segment::decode(bytes, SEGMENT_ITEMS)
}

/// A segment of five items, and the end of each record.
fn five() -> (Vec<u8>, Vec<usize>) {
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
    let (segment, ends) = five();
    for at in 0..segment.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut damaged = segment.clone();
            damaged[at] ^= flip;
            let (read, corrupt) = numbers(&damaged);
            let hit = (at >= HEADER).then(|| ends.iter().position(|end| at < *end).unwrap() as u64);
            assert_eq!(read, Vec::from_iter((0..5).filter(|number| Some(*number) != hit)), "byte {at}");
            // A last record that claims to be longer than the file looks like a truncated one.
            let may_look_torn = (ends[3] + 8..ends[3] + 12).contains(&at);
            assert!(corrupt == 1 || corrupt == 0 && may_look_torn, "byte {at} of {ends:?}: {corrupt}");
        }
    }
}

#[test]
fn a_segment_cut_off_anywhere_has_all_records_before_and_counts_as_torn() {
    let (segment, ends) = five();
    for length in 0..segment.len() {
        let whole = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(numbers(&segment[..length]), (Vec::from_iter(0..whole), 0), "{length} bytes");
        let zeros = [&segment[..length], &[0; 64]].concat();
        assert_eq!(numbers(&zeros).0, Vec::from_iter(0..whole), "{length} bytes, then zeros");
    }
}

#[test]
fn a_segment_that_lacks_its_beginning_has_all_records_after() {
    let (segment, ends) = five();
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
    let (record, _) = five();
    assert_eq!(numbers(&[&huge, &record[HEADER..]].concat()), (Vec::from_iter(0..5), 1));
}

#[test]
fn nothing_takes_longer_than_its_length() {
    // A million markers, each with a length up to the end. The checksum covers only the bytes
    // before the next marker.
    let mut hostile = header();
    for left in (0..1_000_000_u32).rev() {
        hostile.extend_from_slice(MARKER);
        hostile.extend_from_slice(&(left * 16).to_le_bytes());
        hostile.extend_from_slice(&[1; 4]);
    }
    let decoded = segment::decode(&hostile, usize::MAX);
    assert_eq!((decoded.items.len(), decoded.corrupt), (0, 1_000_000));
}

#[test]
fn content_cannot_look_like_a_record() {
    let text = String::from_utf8_lossy(MARKER).into_owned();
    assert_ne!(text.as_bytes(), MARKER);
    assert!(!MARKER[1..].contains(&MARKER[0]), "no two of them overlap");
    let json = Bytes::from([BEGINNING.as_bytes(), br#","a":""#, &MARKER[..], b"\"}"].concat());
    assert!(Report::restore(Uuid::nil(), json, KEYS_AT, false).is_none(), "it is no UTF-8");
}

#[test]
fn an_id_that_looks_like_a_marker_is_not_written() {
    let mut id = [0; 16];
    id[3..11].copy_from_slice(MARKER);
    let report = report(u128::from_be_bytes(id), "", false);
    let mut record = b"before".to_vec();
    SpooledItem { created_ms: 0, flags: 0, reports: vec![report] }.encode(&mut record).unwrap_err();
    assert_eq!(record, b"before");
}

/// A segment of one record with a valid checksum.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let sum = crate::spool::record::checksum(length, payload).to_le_bytes();
    [&header()[..], MARKER, &length, &sum, payload].concat()
}

#[test]
fn a_record_is_corrupt_unless_keys_go_where_they_belong() {
    let payload = |json: &[u8], keys_at: u32, is_upload: u8, count: u32| {
        let head = [&7_u64.to_le_bytes()[..], &[0], &count.to_le_bytes(), &[1; 16], &[is_upload]].concat();
        let length = u32::try_from(json.len()).unwrap().to_le_bytes();
        [&head[..], &keys_at.to_le_bytes(), &length, json].concat()
    };
    let text = format!(r#"{BEGINNING},"user":{{}},"ü":{{"a":1}}}}"#);
    let (json, keys_at) = (text.as_bytes(), u32::try_from(KEYS_AT).unwrap());
    let sound = payload(json, keys_at, 0, 1);
    assert_eq!(decode(&record(&sound)).items.len(), 1);
    let unsound = [
        payload(json, keys_at, 2, 1),
        payload(json, keys_at, 0, 0),
        payload(json, keys_at, 0, 2),
        payload(json, keys_at, 0, u32::MAX),
        payload(&[json, b"\xFF"].concat(), keys_at, 0, 1),
        payload(b"", 0, 0, 1),
        sound[..sound.len() - 1].to_vec(),
        [&sound[..], b" "].concat(),
        Vec::new(),
    ];
    let places = (0..=json.len()).chain([1_000, 1 << 31, u32::MAX as usize]).filter(|at| *at != KEYS_AT);
    let misplaced = places.map(|at| payload(json, u32::try_from(at).unwrap(), 0, 1));
    for payload in misplaced.chain(unsound) {
        let decoded = decode(&record(&payload));
        assert_eq!((decoded.items.len(), decoded.corrupt), (0, 1), "{payload:?}");
    }
}

#[test]
fn keys_go_into_nothing_but_an_object_that_begins_as_ours_do() {
    let restore = |json: &str, keys_at| {
        let json = Bytes::copy_from_slice(json.as_bytes());
        Report::restore(Uuid::nil(), json, keys_at, false)
    };
    let ours = [
        BEGINNING.to_owned(),
        BEGINNING.replace("chat", "image-upload"),
        BEGINNING.replace("1.0.0", "2.1.0-beta_3"),
    ];
    for beginning in ours {
        let (head, tail) = restore(&format!("{beginning}}}"), beginning.len() - 1).unwrap().around_keys();
        assert_eq!((&head[..], &tail[..]), (&beginning.as_bytes()[..beginning.len() - 1], &b"}}"[..]));
    }
    let planted = [
        r#"{"reconify":{}}"#,
        r#"{"reconify":{"a":1},"request":{}}"#,
        r#"{"reconify":{"a":"}"},"request":{}}"#,
        r#"{"reconify":{"a":{}},"request":{}}"#,
        r#"{"reconify":{"format":"openai","type":"chat"},"version":{}}"#,
        r#"{"reconify":{"format":"openai","type":"","version":"1.0.0"},"request":{}}"#,
        r#"{"reconify":{"format":"openai","type":"chat","version":"1\"},"b":"}"},"request":{}}"#,
        r#"{"reconify":{"format":"openai","type":"chat","version":"1}"},"request":{}}"#,
        r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0","endpoint":"x"},"request":{}}"#,
        r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0" },"request":{}}"#,
        r#" {"reconify":{"format":"openai","type":"chat","version":"1.0.0"},"request":{}}"#,
        r#"{"request":{"reconify":{"format":"openai","type":"chat","version":"1.0.0"}}}"#,
    ];
    for json in planted {
        assert!((0..=json.len()).all(|keys_at| restore(json, keys_at).is_none()), "{json}");
    }
}

#[test]
fn an_item_has_a_limited_number_of_reports() {
    let item = |reports| SpooledItem { reports: vec![report(1, "", true); reports], ..item(1, 0) };
    let mut most = header();
    item(256).encode(&mut most).unwrap();
    assert_eq!(decode(&most).items[0].reports.len(), 256);
    item(257).encode(&mut Vec::new()).unwrap_err();
    let mut payload = [&[0; 9][..], &257_u32.to_le_bytes()].concat();
    payload.extend_from_slice(&most[HEADER + HEAD + 13..]);
    let length = (most.len() - HEADER - HEAD - 13) / 256;
    payload.extend_from_within(payload.len() - length..);
    assert_eq!(decode(&record(&payload)).corrupt, 1);
}

#[test]
fn a_segment_of_another_version_is_not_read() {
    let (segment, _) = five();
    let mut newer = header();
    newer[8] = 2;
    let sum = crate::spool::record::checksum(&newer[..12], &[]).to_le_bytes();
    newer[12..].copy_from_slice(&sum);
    newer.extend_from_slice(&segment[HEADER..]);
    assert_eq!(numbers(&newer), (vec![], 1));
}

#[test]
fn the_format_is_as_it_was_written_down() {
    let report = report(0xA5, "", true);
    let json = report.bytes();
    let mut written = header();
    SpooledItem { created_ms: 0x0102, flags: 3, reports: vec![report] }.encode(&mut written).unwrap();
    let mut expected = b"\x89RCSPOOL\x01\0\0\0".to_vec();
    expected.extend_from_slice(&crc32fast::hash(&expected.clone()).to_le_bytes());
    let mut payload = b"\x02\x01\0\0\0\0\0\0\x03\x01\0\0\0".to_vec();
    payload.extend_from_slice(&[&[0; 15][..], b"\xA5\x01\x3E\0\0\0\x40\0\0\0", &json].concat());
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let sum = crc32fast::hash(&[&length[..], &payload].concat()).to_le_bytes();
    expected.extend_from_slice(&[b"\xFFREC\r\n\0\x01", &length[..], &sum, &payload].concat());
    assert_eq!(written, expected);
    assert_eq!(written.len(), HEADER + HEAD + payload.len());
}
