//! Finds texts in data without parsing it.

use std::ops::Range;

use memchr::memchr2;

/// The range of a slice of the data.
pub(crate) fn place(part: &str, data: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
    let place = start..start.checked_add(part.len())?;
    (data.get(place.clone())? == part.as_bytes()).then_some(place)
}

/// The index of the closing quote of a JSON string that began before these bytes.
///
/// `None` if it is malformed, or if the full parser should read it.
pub(crate) fn end_of_text(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(at..)? {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => at += 2,
            [b'\\', b'u', digits @ ..] => {
                digits.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
                at += 6;
            }
            [b'\\', ..] => return None,
            _ => break,
        }
    }
    let has_controls = bytes.get(..at)?.iter().fold(false, |found, byte| found | (*byte < b' '));
    (!has_controls).then_some(at)
}
