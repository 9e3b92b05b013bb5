//! The entry point for the fuzz target of segments, compiled only for it. It asserts the properties
//! that hold for any input.

#![allow(clippy::expect_used, reason = "a fuzz target fails by panicking")]

use bytes::Bytes;
use uuid::Uuid;

use crate::report::Report;
use crate::spool::SEGMENT_ITEMS;
use crate::spool::record::SpooledItem;
use crate::spool::segment::{self, DecodedSegment};

const BEGINNING: &str = r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0"}"#;

/// Decodes any input as a segment, and finds the records placed between its lines.
pub fn segment(input: &[u8]) {
    check(input);
    let headed = [&segment::header(), input].concat();
    check(&headed);
    let checksummed = checksummed(input);
    check(&checksummed);

    let mut mixed = segment::header();
    let mut expected = Vec::new();
    for (number, part) in checksummed.split(|byte| *byte == b'\n').enumerate() {
        mixed.extend_from_slice(part);
        let item = item(number as u64, part.len());
        item.encode(&mut mixed).expect("it fits");
        expected.push(written(&item));
    }
    let found: Vec<_> = segment::decode(&mixed, usize::MAX).items.iter().map(written).collect();
    let mut found = found.iter();
    assert!(expected.iter().all(|item| found.any(|other| other == item)), "every record is found, in order");
}

/// Asserts that the decoded records are no larger than the input, and survive another round trip.
fn check(bytes: &[u8]) {
    let single = segment::decode(bytes, 1);
    assert!(single.items.len() <= 1, "one where there may be no more");
    let DecodedSegment { items, corrupt } = segment::decode(bytes, SEGMENT_ITEMS);
    assert!(items.len() <= SEGMENT_ITEMS, "no more than a writer puts into a segment");
    assert!(items.len() + usize::try_from(corrupt).expect("small") <= bytes.len() / 8 + 2, "all take space");
    let mut again = segment::header();
    for item in &items {
        item.encode(&mut again).expect("what was read can be written");
    }
    assert!(again.len() <= bytes.len() + segment::HEADER);
    let decoded = segment::decode(&again, SEGMENT_ITEMS);
    assert_eq!(decoded.corrupt, 0, "what was written can be read");
    assert!(decoded.items.iter().map(written).eq(items.iter().map(written)), "and is the same");
}

/// The lines as payloads of records with correct checksums, which mutations would hardly find.
fn checksummed(input: &[u8]) -> Vec<u8> {
    let mut segment = segment::header();
    for payload in input.split(|byte| *byte == b'\n') {
        segment.extend_from_slice(crate::spool::record::MARKER);
        let length = u32::try_from(payload.len()).expect("an input is small").to_le_bytes();
        segment.extend_from_slice(&length);
        segment.extend_from_slice(&crate::spool::record::checksum(length, payload).to_le_bytes());
        segment.extend_from_slice(payload);
    }
    segment
}

fn item(number: u64, length: usize) -> SpooledItem {
    let json = format!(r#"{BEGINNING},"filler":"{}"}}"#, "x".repeat(length % 32));
    let keys_at = BEGINNING.len() - 1;
    let report = |id| Report::restore(Uuid::from_u128(id), Bytes::from(json.clone()), keys_at, id > 0);
    let reports = (0..=number.into()).take(3).map(|id| report(id).expect("it is one")).collect();
    SpooledItem { created_ms: number, flags: 1, reports }
}

fn written(item: &SpooledItem) -> Vec<u8> {
    let mut record = Vec::new();
    item.encode(&mut record).expect("it fits");
    record
}
