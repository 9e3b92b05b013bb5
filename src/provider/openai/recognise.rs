//! Recognises the requests of the OpenAI HTTP API by their paths.

use crate::provider::operation::Operation;

/// The operation whose known name ends this path.
#[inline]
pub(crate) fn recognise(path: &str) -> Option<Operation> {
    // Most other paths end in other letters, and most captured requests are chats.
    let ending = path.as_bytes().last_chunk()?;
    match u16::from_ne_bytes(*ending) {
        NS if path.ends_with("/chat/completions") => Some(Operation::Chat),
        NS | ES | TS | GS | CH => named(path),
        _ if ending[1] == b'/' => named(path),
        _ => None,
    }
}

/// The operation whose name ends the path. Trailing and doubled slashes do not count.
#[inline(never)]
fn named(path: &str) -> Option<Operation> {
    let path = trimmed(path);
    // One comparison per name lets the compiler know the length of each name.
    let before = |name| path.strip_suffix(name).map(trimmed);
    let below = |parent, name| before(name).is_some_and(|before| before.ends_with(parent));
    let generic = |name| before(name).is_some_and(is_base);
    match u16::from_ne_bytes(*path.as_bytes().last_chunk()?) {
        NS => None
            .or_else(|| below("/chat", "/completions").then_some(Operation::Chat))
            .or_else(|| generic("/completions").then_some(Operation::Completion))
            .or_else(|| below("/images", "/generations").then_some(Operation::ImageGeneration))
            .or_else(|| below("/images", "/variations").then_some(Operation::ImageVariation))
            .or_else(|| below("/audio", "/transcriptions").then_some(Operation::Transcription))
            .or_else(|| below("/audio", "/translations").then_some(Operation::Translation))
            .or_else(|| generic("/moderations").then_some(Operation::Moderation)),
        ES => generic("/responses").then_some(Operation::Responses),
        TS => below("/images", "/edits").then_some(Operation::ImageEdit),
        GS => generic("/embeddings").then_some(Operation::Embedding),
        CH => below("/audio", "/speech").then_some(Operation::Speech),
        _ => None,
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

/// The last two letters of the known paths, as numbers.
const NS: u16 = u16::from_ne_bytes(*b"ns");
const ES: u16 = u16::from_ne_bytes(*b"es");
const TS: u16 = u16::from_ne_bytes(*b"ts");
const GS: u16 = u16::from_ne_bytes(*b"gs");
const CH: u16 = u16::from_ne_bytes(*b"ch");
