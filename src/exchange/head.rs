use http::{HeaderMap, HeaderValue, header};

/// The most bytes kept of a media type.
const MOST_OF_A_TYPE: usize = 256;

/// The same for a form, whose type names the boundary of its parts: at most 70 characters (RFC
/// 2046, 5.1.1).
const MOST_OF_A_FORM: usize = 1_024;

/// The longest list of codings: more than four of the existing names.
const MOST_OF_CODINGS: usize = 256;

/// Stands for a coding that cannot be read.
const UNKNOWN: &str = "?";

/// The headers that are needed to read a body. The values are copied: a header value is a slice of
/// the connection's read buffer and would keep the whole buffer in memory.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) media_type: MediaType,
    /// The codings, in the order in which they were applied; empty for a body that is not encoded.
    pub(crate) codings: Box<str>,
    pub(super) length: Option<u64>,
}

/// The type of a body, without parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum MediaType {
    #[default]
    Unknown,
    Json,
    EventStream,
    /// A form, with the whole header value, which names the boundary of its parts.
    Form(Box<str>),
    Other(Box<str>),
}

impl Head {
    /// Reads the headers into an empty head, in one pass: comparing names costs less than three
    /// look-ups. Returns whether texts are kept, which the budget is charged for.
    #[inline(always)]
    pub(crate) fn read(&mut self, headers: &HeaderMap) -> bool {
        let (mut content_type, mut length, mut is_encoded) = (None, None, false);
        for (name, value) in headers {
            if name == header::CONTENT_TYPE {
                content_type = content_type.or(Some(value));
            } else if name == header::CONTENT_LENGTH {
                length = length.or(Some(value));
            } else if name == header::CONTENT_ENCODING {
                is_encoded = true;
            }
        }
        self.media_type = content_type.map(MediaType::of).unwrap_or_default();
        self.length = length.and_then(number);
        if is_encoded {
            self.codings = codings(headers);
        }
        is_encoded || matches!(self.media_type, MediaType::Form(_) | MediaType::Other(_))
    }

    /// The length of its texts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let of_type = match &self.media_type {
            MediaType::Unknown | MediaType::Json | MediaType::EventStream => 0,
            MediaType::Form(text) | MediaType::Other(text) => text.len(),
        };
        of_type + self.codings.len()
    }
}

#[inline(never)]
fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.trim().parse().ok()
}

/// Joins the values of all `content-encoding` lines. A line that is not text, or a list that is too
/// long, becomes an unknown coding.
#[cold]
#[inline(never)]
fn codings(headers: &HeaderMap) -> Box<str> {
    let mut codings = String::new();
    for line in headers.get_all(header::CONTENT_ENCODING) {
        let line = line.to_str().unwrap_or(UNKNOWN);
        if codings.len() + line.len() > MOST_OF_CODINGS {
            return UNKNOWN.into();
        }
        if !codings.is_empty() {
            codings.push(',');
        }
        codings.push_str(line);
    }
    codings.into()
}

/// The beginning of a header value, up to the first byte that is not UTF-8.
fn beginning(value: &[u8], most: usize) -> Box<str> {
    let value = value.get(..most).unwrap_or(value);
    value.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default().into()
}

impl MediaType {
    fn of(value: &HeaderValue) -> Self {
        // The usual spellings, compared as a whole: a pattern is compared byte by byte.
        let value = value.as_bytes();
        if value == b"application/json" {
            Self::Json
        } else if value == b"text/event-stream" {
            Self::EventStream
        } else {
            Self::of_any(value)
        }
    }

    #[inline(never)]
    fn of_any(value: &[u8]) -> Self {
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let name = value.get(..end).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"application/json") {
            Self::Json
        } else if name.eq_ignore_ascii_case(b"text/event-stream") {
            Self::EventStream
        } else if name.eq_ignore_ascii_case(b"multipart/form-data") {
            Self::Form(beginning(value, MOST_OF_A_FORM))
        } else if name.is_empty() {
            Self::Unknown
        } else {
            Self::Other(beginning(name, MOST_OF_A_TYPE))
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Json => Some("application/json"),
            Self::EventStream => Some("text/event-stream"),
            Self::Form(_) => Some("multipart/form-data"),
            Self::Other(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: header::HeaderName, values: &[&[u8]]) -> Head {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_bytes(value).unwrap());
        }
        let mut head = Head::default();
        head.read(&headers);
        head
    }

    #[test]
    fn little_is_kept_of_a_long_media_type() {
        let long = [b"application/".to_vec(), vec![b'z'; 300_000]].concat();
        let read = head(header::CONTENT_TYPE, &[&long]);
        assert_eq!(read.media_type.name().map(str::len), Some(MOST_OF_A_TYPE));
        assert_eq!(read.bytes(), MOST_OF_A_TYPE);
        let parameters = [b"text/plain;".to_vec(), vec![b'z'; 300_000]].concat();
        assert_eq!(head(header::CONTENT_TYPE, &[&parameters]).media_type.name(), Some("text/plain"));
        let split = [vec![b'z'; MOST_OF_A_TYPE - 1], "ü".into()].concat();
        assert_eq!(head(header::CONTENT_TYPE, &[&split]).bytes(), MOST_OF_A_TYPE - 1, "no half character");
    }

    #[test]
    fn of_a_form_as_much_is_kept_as_any_boundary_needs() {
        let long = [b"multipart/form-data; boundary=".to_vec(), vec![b'z'; 300_000]].concat();
        assert_eq!(head(header::CONTENT_TYPE, &[&long]).bytes(), MOST_OF_A_FORM);
        let usual = b"multipart/form-data; boundary=x";
        assert_eq!(head(header::CONTENT_TYPE, &[usual]).bytes(), usual.len());
    }

    #[test]
    fn too_long_a_list_of_codings_is_one_that_nobody_knows() {
        let long = vec![b'z'; 300_000];
        for lines in [vec![&long[..]], vec![&b"gzip"[..]; 100], vec![&b"gzip"[..], &long[..]]] {
            assert_eq!(&*head(header::CONTENT_ENCODING, &lines).codings, UNKNOWN);
        }
        let few = head(header::CONTENT_ENCODING, &[b"gzip", b"br, zstd"]);
        assert_eq!((&*few.codings, few.bytes()), ("gzip,br, zstd", 13));
    }
}
