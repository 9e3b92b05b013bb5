use http::{HeaderMap, header};

/// The parts of a request outside its body that its report needs.
#[derive(Debug, Default)]
pub(crate) struct RequestTarget {
    /// The path, with its percent-encoding.
    pub(crate) path: Box<str>,
    pub(crate) content_type: Option<Box<str>>,
    pub(crate) accept: Option<Box<str>>,
}

/// The longest path that is kept, in bytes. A model id of Bedrock has up to 2,048 characters, which
/// percent-encoding can triple.
const LONGEST_PATH: usize = 8 * 1024;

/// The most bytes kept of a header.
const LONGEST_HEADER: usize = 256;

impl RequestTarget {
    /// Copies these parts: they are slices of the connection's read buffer. A path that is too long
    /// is left out.
    #[cold]
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value).filter(|value| value.len() <= LONGEST_HEADER).map(Into::into)
        };
        let path = if path.len() <= LONGEST_PATH { path } else { "" };
        Self { path: path.into(), content_type: text(header::CONTENT_TYPE), accept: text(header::ACCEPT) }
    }

    /// The length of its texts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let header = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        self.path.len() + header(&self.content_type) + header(&self.accept)
    }
}
