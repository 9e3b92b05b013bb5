//! Events of OpenAI's streams.

use super::chat::chunk::Chunk;
use crate::provider::stream::Progress;

/// Parses an event and counts it; `None` if it is not a JSON object.
#[inline]
pub(crate) fn read<'a>(name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> Option<Chunk<'a>> {
    let chunk = Chunk::of(name, data)?;
    progress.chunks += 1;
    progress.has_error |= chunk.error().is_some();
    Some(chunk)
}
