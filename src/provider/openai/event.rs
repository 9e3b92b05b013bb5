//! Events of OpenAI's streams.

use super::chat::chunk::Chunk;
use crate::provider::stream::Progress;

/// Whether an event is a keep-alive or the end of the stream.
#[inline]
pub(crate) fn is_blank_or_done(data: &[u8], progress: &mut Progress) -> bool {
    let is_done = data.trim_ascii() == b"[DONE]";
    progress.is_done |= is_done;
    is_done || data.is_empty()
}

/// Parses an event and counts it; `None` if it is not a JSON object.
#[inline]
pub(crate) fn read<'a>(name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> Option<Chunk<'a>> {
    let chunk = Chunk::of(name, data)?;
    progress.chunks += 1;
    progress.has_error |= chunk.error().is_some();
    Some(chunk)
}
