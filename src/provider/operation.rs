//! Recognises the requests that are interactions with a model.

use std::mem;

use http::Method;

/// An operation of the OpenAI HTTP API that the layer can report.
///
/// ```
/// use tower_reconify::{Config, Operation};
///
/// // `POST /ask` is an application's own path for chat completions. Embeddings are reported too.
/// let config = Config::builder("app", "key")
///     .route("/ask", Operation::Chat)
///     .capture([Operation::Chat, Operation::Embedding])
///     .build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `POST …/chat/completions` under any prefix, reported with the type `chat`.
    Chat,
    /// `POST …/completions`, reported with the type `completion`, or `chat` if the request has
    /// messages and no prompt.
    ///
    /// Other APIs use this name too, and those of [`Responses`](Self::Responses),
    /// [`Embedding`](Self::Embedding) and [`Moderation`](Self::Moderation). These four names
    /// therefore count only as the whole path (`/completions`), after a segment of `v` and a number
    /// (`/v1/completions` under any prefix), and after `openai`, `deployments/{name}` or
    /// `engines/{name}`. [Declare](crate::ConfigBuilder::route) any other path.
    Completion,
    /// `POST …/responses`, reported in the format set by
    /// [`ConfigBuilder::responses`](crate::ConfigBuilder::responses).
    Responses,
    /// `POST …/images/generations`, reported with the type `image`.
    ImageGeneration,
    /// `POST …/images/edits`, reported with the type `image`.
    ImageEdit,
    /// `POST …/images/variations`, reported with the type `image`.
    ImageVariation,
    /// `POST …/embeddings`, reported with the type `embedding` if enabled.
    Embedding,
    /// `POST …/moderations`, reported with the type `moderation` if enabled.
    Moderation,
    /// `POST …/audio/speech`, reported with the type `speech` if enabled.
    Speech,
    /// `POST …/audio/transcriptions`, reported with the type `transcription` if enabled.
    Transcription,
    /// `POST …/audio/translations`, reported with the type `translation` if enabled.
    Translation,
}

/// A path that the application assigned to an operation.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) operation: Operation,
}

/// The captured operations and their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations {
    /// Paths that the application assigned to operations. They take precedence over the known
    /// names.
    pub(crate) routes: Vec<Route>,
    /// Operations captured under their known names.
    pub(crate) known: OperationSet,
}

/// A set of operations, one bit per operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OperationSet([u64; 4]);

const _: () = assert!(Operation::ALL.len() <= 4 * 64, "a set has a bit for every operation");

impl OperationSet {
    #[inline]
    fn contains(self, operation: Operation) -> bool {
        let (word, bit) = Self::place(operation);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    #[inline]
    fn place(operation: Operation) -> (usize, u64) {
        let number = operation as usize;
        (number / 64, 1 << (number % 64))
    }
}

impl FromIterator<Operation> for OperationSet {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        let mut set = Self::default();
        for operation in operations {
            let (word, bit) = Self::place(operation);
            if let Some(word) = set.0.get_mut(word) {
                *word |= bit;
            }
        }
        set
    }
}

impl Operation {
    /// Every operation, in declaration order.
    pub const ALL: &[Self] = &[
        Self::Chat,
        Self::Completion,
        Self::Responses,
        Self::ImageGeneration,
        Self::ImageEdit,
        Self::ImageVariation,
        Self::Embedding,
        Self::Moderation,
        Self::Speech,
        Self::Transcription,
        Self::Translation,
    ];

    /// The operation whose known name ends this path.
    #[inline]
    fn known(path: &str) -> Option<Self> {
        // Most other paths end in other letters, and most captured requests are chats.
        let ending = path.as_bytes().last_chunk()?;
        match u16::from_ne_bytes(*ending) {
            NS if path.ends_with("/chat/completions") => Some(Self::Chat),
            NS | ES | TS | GS | CH => Self::named(path),
            _ if ending[1] == b'/' => Self::named(path),
            _ => None,
        }
    }

    /// The operation whose name ends the path. Trailing and doubled slashes do not count.
    #[inline(never)]
    fn named(path: &str) -> Option<Self> {
        let path = trimmed(path);
        // One comparison per name lets the compiler know the length of each name.
        let before = |name| path.strip_suffix(name).map(trimmed);
        let below = |parent, name| before(name).is_some_and(|before| before.ends_with(parent));
        let generic = |name| before(name).is_some_and(is_base);
        match u16::from_ne_bytes(*path.as_bytes().last_chunk()?) {
            NS => None
                .or_else(|| below("/chat", "/completions").then_some(Self::Chat))
                .or_else(|| generic("/completions").then_some(Self::Completion))
                .or_else(|| below("/images", "/generations").then_some(Self::ImageGeneration))
                .or_else(|| below("/images", "/variations").then_some(Self::ImageVariation))
                .or_else(|| below("/audio", "/transcriptions").then_some(Self::Transcription))
                .or_else(|| below("/audio", "/translations").then_some(Self::Translation))
                .or_else(|| generic("/moderations").then_some(Self::Moderation)),
            ES => generic("/responses").then_some(Self::Responses),
            TS => below("/images", "/edits").then_some(Self::ImageEdit),
            GS => generic("/embeddings").then_some(Self::Embedding),
            CH => below("/audio", "/speech").then_some(Self::Speech),
            _ => None,
        }
    }
}

#[inline(always)]
fn trimmed(path: &str) -> &str {
    if path.ends_with('/') { path.trim_end_matches('/') } else { path }
}

/// Whether a generic name counts after this prefix, because other APIs use these names too.
///
/// OpenAI, Azure and compatible servers put them after nothing, `v` and a number, `openai`,
/// `deployments/{name}` or `engines/{name}`.
fn is_base(path: &str) -> bool {
    let unnumbered = path.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if path.is_empty() || unnumbered.len() < path.len() && unnumbered.ends_with("/v") {
        return true;
    }
    let mut segments = path.as_bytes().rsplit(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    segments.next() == Some(b"openai") || matches!(segments.next(), Some(b"deployments" | b"engines"))
}

/// The bytes of a path in reverse, without trailing and doubled slashes.
fn backwards(path: &str) -> impl Iterator<Item = u8> {
    let mut previous = b'/';
    path.bytes().rev().filter(move |byte| {
        let previous = mem::replace(&mut previous, *byte);
        (previous, *byte) != (b'/', b'/')
    })
}

/// The last two letters of the known paths, as numbers.
const NS: u16 = u16::from_ne_bytes(*b"ns");
const ES: u16 = u16::from_ne_bytes(*b"es");
const TS: u16 = u16::from_ne_bytes(*b"ts");
const GS: u16 = u16::from_ne_bytes(*b"gs");
const CH: u16 = u16::from_ne_bytes(*b"ch");

impl Operations {
    /// The operation of a request, if it is captured.
    #[inline]
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<Operation> {
        if method != Method::POST {
            return None;
        }
        if !self.routes.is_empty()
            && let Some(operation) = self.declared(path)
        {
            return Some(operation);
        }
        Operation::known(path).filter(|operation| self.known.contains(*operation))
    }

    #[inline(never)]
    fn declared(&self, path: &str) -> Option<Operation> {
        let matches = |route: &&Route| {
            let mut bytes = backwards(path);
            backwards(&route.path).all(|byte| bytes.next() == Some(byte))
        };
        self.routes.iter().find(matches).map(|route| route.operation)
    }
}

#[cfg(test)]
mod tests;
