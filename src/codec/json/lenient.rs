//! Reads JSON that a strict parser refuses, because it is cut off or contains a bare `NaN`.

use std::borrow::Cow;

use memchr::memchr2;

use crate::codec::{allowance, json};

/// The readable part of such a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lenient {
    /// Every complete value, at its position.
    pub(crate) json: String,
    /// The end of the last complete value in the text; zero if there is none.
    pub(crate) end: usize,
    /// The text ends before its outermost object or array does.
    pub(crate) is_cut: bool,
    /// `NaN`, `Infinity` or `-Infinity` became a string.
    pub(crate) is_mended: bool,
}

/// The maximum nesting. No request or response is deeper; an attacker could open millions of
/// levels.
const MAX_DEPTH: usize = 1_000;

/// Spare capacity for the members appended to a truncated object, so that a long text is not
/// reallocated for them.
const ROOM_FOR_MARK: usize = 256;

/// Numbers that Python and others write although JSON does not allow them.
const NON_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The maximum growth of a text by mending. Beyond it, bytes are not text, and numbers are cut off.
pub(crate) const MAX_GROWTH: usize = 1024 * 1024;

/// Bytes as text, with U+FFFD for invalid UTF-8, up to the maximum growth.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        if text.len() > bytes.len() + MAX_GROWTH {
            break;
        }
    }
    text.into()
}

/// Whether data is a complete JSON value, possibly after mending.
pub(crate) fn is_readable(data: &[u8]) -> bool {
    mended(data).is_some()
}

/// Data as JSON. Returns `None` if it is not JSON even after mending.
pub(crate) fn mended(data: &[u8]) -> Option<Cow<'_, str>> {
    let text = self::text(data);
    if json::parse(text.as_bytes()).is_some() {
        return Some(text);
    }
    let read = read(&text)?;
    let is_whole = read.is_mended && !read.is_cut && json::parse(read.json.as_bytes()).is_some();
    is_whole.then_some(Cow::Owned(read.json))
}

/// Reads an object or array in one pass. Containers without any complete value are left out.
///
/// `None` if the text is not JSON even then, or is nested too deeply. The result still has to be
/// validated: numbers, escapes and control characters are not checked.
pub(crate) fn read(text: &str) -> Option<Lenient> {
    if !allowance::examine(text.len()) {
        return None;
    }
    let mut scan = Scan { text, at: 0, json: String::new(), copied: 0, levels: Vec::new(), end: 0, depth: 0 };
    let outcome = scan.run();
    if outcome == ScanResult::Invalid {
        return None;
    }
    if scan.end == 0 {
        let json = if scan.levels.first()? == &b'}' { "{}" } else { "[]" };
        return Some(Lenient { json: json.to_owned(), end: 0, is_cut: true, is_mended: false });
    }
    let Scan { mut json, copied, mut levels, end, depth, .. } = scan;
    let is_mended = copied > 0;
    json.reserve(end - copied + depth + ROOM_FOR_MARK);
    json.push_str(text.get(copied..end)?);
    levels.truncate(depth);
    let is_cut = !levels.is_empty();
    json.extend(levels.iter().rev().map(|closer| char::from(*closer)));
    Some(Lenient { json, end, is_cut, is_mended })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScanResult {
    Whole,
    Cut,
    Invalid,
}

/// The token expected next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    /// Or the end of the array that was just opened.
    ValueOrEnd,
    Key,
    /// Or the end of the object that was just opened.
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    /// Only white space.
    Nothing,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The text up to `copied`, with strings in place of invalid numbers.
    json: String,
    copied: usize,
    /// The closing bracket of each open object or array.
    levels: Vec<u8>,
    /// The end of the last complete value, and the number of levels open there.
    end: usize,
    depth: usize,
}

impl Scan<'_> {
    fn run(&mut self) -> ScanResult {
        let mut expected = Expected::Value;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
            let Some(blank) = blank else {
                return if expected == Expected::Nothing { ScanResult::Whole } else { ScanResult::Cut };
            };
            self.at += blank;
            let byte = rest.get(blank).copied().unwrap_or_default();
            let level = self.levels.last().copied();
            expected = match (expected, byte) {
                (Expected::KeyOrEnd | Expected::CommaOrEnd, b'}')
                | (Expected::ValueOrEnd | Expected::CommaOrEnd, b']')
                    if level == Some(byte) =>
                {
                    self.levels.pop();
                    self.at += 1;
                    self.complete()
                }
                (Expected::CommaOrEnd, b',') => {
                    self.at += 1;
                    if level == Some(b'}') { Expected::Key } else { Expected::Value }
                }
                (Expected::Colon, b':') => {
                    self.at += 1;
                    Expected::Value
                }
                (Expected::Key | Expected::KeyOrEnd, b'"') => match self.string() {
                    true => Expected::Colon,
                    false => return ScanResult::Cut,
                },
                (Expected::Value | Expected::ValueOrEnd, b'{' | b'[') => {
                    if self.levels.len() == MAX_DEPTH {
                        return ScanResult::Invalid;
                    }
                    self.at += 1;
                    let is_object = byte == b'{';
                    self.levels.push(if is_object { b'}' } else { b']' });
                    if is_object { Expected::KeyOrEnd } else { Expected::ValueOrEnd }
                }
                // A single token is neither an object nor an array.
                _ if level.is_none() => return ScanResult::Invalid,
                (Expected::Value | Expected::ValueOrEnd, b'"') => match self.string() {
                    true => self.complete(),
                    false => return ScanResult::Cut,
                },
                (Expected::Value | Expected::ValueOrEnd, _) => match self.literal() {
                    ScanResult::Whole => self.complete(),
                    outcome => return outcome,
                },
                _ => return ScanResult::Invalid,
            };
        }
    }

    /// Marks the end of a value.
    fn complete(&mut self) -> Expected {
        (self.end, self.depth) = (self.at, self.levels.len());
        if self.levels.is_empty() { Expected::Nothing } else { Expected::CommaOrEnd }
    }

    /// Skips a string, and returns whether it ends.
    fn string(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(next) = memchr2(b'"', b'\\', bytes.get(self.at..).unwrap_or_default()) {
            self.at += next;
            if bytes.get(self.at) == Some(&b'"') {
                self.at += 1;
                return true;
            }
            self.at += 2;
        }
        false
    }

    /// Skips a number, `true`, `false` or `null`, or replaces an invalid number.
    fn literal(&mut self) -> ScanResult {
        let rest = self.text.get(self.at..).unwrap_or_default();
        for word in NON_FINITE {
            if rest.starts_with(word) {
                let room = MAX_GROWTH.min(self.text.len());
                if self.json.is_empty() {
                    // Reserves once, so that the text is not reallocated while it grows.
                    self.json.reserve(self.text.len() + room + ROOM_FOR_MARK);
                }
                // The replacement is two quotes longer.
                if self.json.len() + (self.at - self.copied) + 2 > self.at + room {
                    return ScanResult::Cut;
                }
                self.json.push_str(self.text.get(self.copied..self.at).unwrap_or_default());
                self.json.extend(["\"", word, "\""]);
                self.at += word.len();
                self.copied = self.at;
                return ScanResult::Whole;
            }
        }
        for word in ["true", "false", "null"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return ScanResult::Whole;
            }
        }
        let is_cut = |word: &str| word.starts_with(rest);
        if NON_FINITE.into_iter().chain(["true", "false", "null"]).any(is_cut) {
            return ScanResult::Cut;
        }
        let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        match rest.bytes().position(|byte| !is_number(&byte)) {
            Some(0) => ScanResult::Invalid,
            Some(length) => {
                self.at += length;
                ScanResult::Whole
            }
            // More digits may have followed.
            None => ScanResult::Cut,
        }
    }
}

#[cfg(test)]
mod tests;
