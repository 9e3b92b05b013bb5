//! The encoding of an item as a record. `docs/SPOOL.md` has the layout.

use bytes::Bytes;
use memchr::memmem;
use uuid::Uuid;

use crate::report::Report;

/// The first byte occurs in no UTF-8 text and only once in the marker. Content therefore cannot
/// look like a marker, and two markers cannot overlap.
pub(crate) const MARKER: &[u8; 8] = b"\xFFREC\r\n\x00\x01";

/// Marker, length, checksum.
pub(crate) const HEAD: usize = 16;

/// The longest record, including its head.
pub(crate) const LARGEST: usize = 256 * 1024 * 1024;

/// The most reports in an item: a report and its images, of which the translation detaches up to
/// 128.
const MOST_REPORTS: usize = 256;

/// A report and its images, stored together.
#[derive(Clone, Debug)]
pub(crate) struct SpooledItem {
    /// The creation time by the system clock, in ms since 1970.
    pub(crate) created_ms: u64,
    /// Defined by the worker.
    pub(crate) flags: u8,
    pub(crate) reports: Vec<Report>,
}

/// The item is too large for any record.
#[derive(Debug, PartialEq)]
pub(crate) struct Oversized;

/// The bytes from one marker to the next.
#[derive(Debug)]
pub(crate) enum Region<'a> {
    /// A record, and the bytes after it.
    Record(SpooledItem, &'a [u8]),
    /// A record that claims to be longer than the region.
    Short,
    Corrupt,
}

impl SpooledItem {
    /// Appends the item as a record.
    pub(crate) fn encode(&self, record: &mut Vec<u8>) -> Result<(), Oversized> {
        let start = record.len();
        self.write(record).inspect_err(|Oversized| record.truncate(start))
    }

    fn write(&self, record: &mut Vec<u8>) -> Result<(), Oversized> {
        let start = record.len();
        let payload: usize = self.reports.iter().map(|report| 25 + report.len()).sum::<usize>() + 13;
        if !(1..=MOST_REPORTS).contains(&self.reports.len()) || payload > LARGEST - HEAD {
            return Err(Oversized);
        }
        record.reserve(HEAD + payload);
        record.extend_from_slice(MARKER);
        let length = number(payload)?.to_le_bytes();
        record.extend_from_slice(&length);
        record.extend_from_slice(&[0; 4]);
        record.extend_from_slice(&self.created_ms.to_le_bytes());
        record.push(self.flags);
        record.extend_from_slice(&number(self.reports.len())?.to_le_bytes());
        for report in &self.reports {
            record.extend_from_slice(report.id().as_bytes());
            record.push(report.is_image_upload().into());
            record.extend_from_slice(&number(report.keys_at())?.to_le_bytes());
            record.extend_from_slice(&number(report.len())?.to_le_bytes());
            record.extend_from_slice(&report.bytes());
        }
        let payload = record.get(start + HEAD..).ok_or(Oversized)?;
        let sum = checksum(length, payload).to_le_bytes();
        record.get_mut(start + 12..start + HEAD).ok_or(Oversized)?.copy_from_slice(&sum);
        // An id could contain a marker by chance, and the reader splits at markers.
        let inside = record.get(start + 1..).ok_or(Oversized)?;
        memmem::find(inside, MARKER).map_or(Ok(()), |_| Err(Oversized))
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut rest = payload;
        let created_ms = u64::from_le_bytes(take(&mut rest)?);
        let [flags] = take(&mut rest)?;
        let count = take_length(&mut rest).filter(|count| (1..=MOST_REPORTS).contains(count))?;
        let mut reports = Vec::new();
        for _ in 0..count {
            let id = Uuid::from_bytes(take(&mut rest)?);
            let is_upload = match take(&mut rest)? {
                [0] => false,
                [1] => true,
                _ => return None,
            };
            let keys_at = take_length(&mut rest)?;
            let length = take_length(&mut rest)?;
            let (json, others) = rest.split_at_checked(length)?;
            rest = others;
            // Copied, because a slice would keep the whole segment in memory.
            reports.push(Report::restore(id, Bytes::copy_from_slice(json), keys_at, is_upload)?);
        }
        rest.is_empty().then_some(Self { created_ms, flags, reports })
    }
}

/// Decodes a region that starts with a marker.
pub(crate) fn read(region: &[u8]) -> Region<'_> {
    let Some((head, rest)) = region.split_first_chunk::<HEAD>() else { return Region::Short };
    let (Some(length), Some(sum)) = (head.get(8..).and_then(first::<4>), head.get(12..).and_then(first))
    else {
        return Region::Corrupt;
    };
    let split = payload_length(head).and_then(|at| rest.split_at_checked(at));
    let Some((payload, rest)) = split else { return Region::Short };
    if checksum(length, payload) != u32::from_le_bytes(sum) {
        return Region::Corrupt;
    }
    SpooledItem::decode(payload).map_or(Region::Corrupt, |item| Region::Record(item, rest))
}

/// The payload length according to a record's head.
pub(crate) fn payload_length(head: &[u8; HEAD]) -> Option<usize> {
    take_length(&mut head.get(8..)?)
}

pub(crate) fn checksum(head: impl AsRef<[u8]>, rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head.as_ref());
    hasher.update(rest);
    hasher.finalize()
}

fn number(length: usize) -> Result<u32, Oversized> {
    u32::try_from(length).map_err(|_| Oversized)
}

fn first<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.first_chunk().copied()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*taken)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}
