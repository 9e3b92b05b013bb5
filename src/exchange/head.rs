use http::{HeaderMap, HeaderValue, header};

/// What the headers say of how to read a body. Nothing in it refers to the headers themselves: a header value is a
/// slice of the connection's read buffer, and would keep all of it in memory.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) media_type: MediaType,
    /// The codings, in the order in which they were applied; empty for a body that is not encoded.
    pub(crate) codings: Box<str>,
    length: Option<u64>,
}

/// The type of a body, without parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum MediaType {
    #[default]
    Unknown,
    Json,
    EventStream,
    /// A form. The whole value, which names the boundary of its parts.
    Form(Box<str>),
    Other(Box<str>),
}

impl Head {
    /// One pass over the headers: comparing names costs less than three look-ups do.
    #[inline(always)]
    pub(crate) fn read(&mut self, headers: &HeaderMap) {
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
        } else if !self.codings.is_empty() {
            self.codings = Box::default();
        }
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }
}

#[inline(never)]
fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.trim().parse().ok()
}

/// The values of all `content-encoding` lines. One that is no text becomes a coding that nobody knows.
#[cold]
#[inline(never)]
fn codings(headers: &HeaderMap) -> Box<str> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    lines.map(|line| line.to_str().unwrap_or("?")).collect::<Vec<_>>().join(",").into()
}

impl MediaType {
    fn of(value: &HeaderValue) -> Self {
        // As nearly everybody writes them. Compared as a whole: a pattern is compared byte by byte.
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
            Self::Form(String::from_utf8_lossy(value).into())
        } else if name.is_empty() {
            Self::Unknown
        } else {
            Self::Other(String::from_utf8_lossy(name).into())
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
