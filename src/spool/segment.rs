//! The encoding of a segment: a header and records. Decoding takes time linear in the length,
//! whatever the bytes are.

use memchr::memmem;

use super::record::{self, HEAD, LARGEST, MARKER, Region, SpooledItem};

const MAGIC: &[u8; 8] = b"\x89RCSPOOL";
const VERSION: u32 = 1;

/// Magic, version, checksum.
pub(crate) const HEADER: usize = 16;

/// The number of a segment in its folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentId(pub(crate) u64);

/// The contents of a segment.
#[derive(Debug, Default)]
pub(crate) struct DecodedSegment {
    pub(crate) items: Vec<SpooledItem>,
    /// The number of unreadable ranges. A truncated end does not count.
    pub(crate) corrupt: u64,
}

enum Header<'a> {
    Known(&'a [u8]),
    OtherVersion,
    /// Only the start of a header.
    Torn,
    Corrupt,
}

pub(crate) fn header() -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    let sum = record::checksum(&header, &[]);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

impl DecodedSegment {
    /// The result for a segment that is not decoded.
    pub(crate) fn unread() -> Self {
        Self { items: Vec::new(), corrupt: 1 }
    }
}

/// Decodes all readable records. A record ends at the next marker, so each byte belongs to at most
/// one record. A segment with more than `most_records` records is not decoded.
pub(crate) fn decode(segment: &[u8], most_records: usize) -> DecodedSegment {
    if memmem::find_iter(segment, MARKER).nth(most_records).is_some() {
        return DecodedSegment::unread();
    }
    let mut decoded = DecodedSegment::default();
    let body = match read_header(segment) {
        Header::Known(body) => body,
        Header::Torn => return decoded,
        Header::OtherVersion => return DecodedSegment::unread(),
        Header::Corrupt => segment,
    };
    let mut starts = memmem::find_iter(body, MARKER).peekable();
    let before = starts.peek().map_or(body, |start| body.get(..*start).unwrap_or_default());
    decoded.corrupt += u64::from(is_corrupt(before, starts.peek().is_none()));
    while let Some(start) = starts.next() {
        let end = starts.peek().copied();
        let region = body.get(start..end.unwrap_or(body.len())).unwrap_or_default();
        decoded.corrupt += match record::read(region) {
            Region::Record(item, rest) => {
                decoded.items.push(item);
                u64::from(is_corrupt(rest, end.is_none()))
            }
            Region::Short => u64::from(end.is_some()),
            Region::Corrupt => 1,
        };
    }
    decoded
}

/// The length of a segment whose only record starts here. Returns `None` if there is no record, or
/// if its length exceeds the maximum.
pub(crate) fn length_of_single(start: &[u8]) -> Option<u64> {
    let (head, _) = start.get(HEADER..)?.split_first_chunk::<HEAD>()?;
    let length = record::payload_length(head)
        .filter(|length| head.starts_with(MARKER) && *length <= LARGEST - HEAD)?;
    Some((HEADER + HEAD + length) as u64)
}

fn read_header(segment: &[u8]) -> Header<'_> {
    let Some((head, body)) = segment.split_first_chunk::<HEADER>() else {
        let is_torn = header().starts_with(segment) || is_zero(segment);
        return if is_torn { Header::Torn } else { Header::Corrupt };
    };
    let (named, sum) = head.split_at(HEADER - 4);
    if *head == *header() {
        Header::Known(body)
    } else if named.starts_with(MAGIC) && record::checksum(named, &[]).to_le_bytes() == *sum {
        Header::OtherVersion
    } else {
        Header::Corrupt
    }
}

/// Whether the bytes after a record are more than the truncated end of the last record.
fn is_corrupt(gap: &[u8], is_last: bool) -> bool {
    let is_torn = is_last && (is_zero(gap) || MARKER.starts_with(gap));
    !gap.is_empty() && !is_torn
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
