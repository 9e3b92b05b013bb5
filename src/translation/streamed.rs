//! Assembles a stream into the object that the unstreamed call would have returned.

use std::cell::OnceCell;
use std::time::Instant;

use super::decoded_body::DecodedBody;
use crate::codec::framing::{Framing, Mended};
use crate::codec::json::Node;
use crate::provider::OperationSpec;
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, Progress, RecordedStream};
use crate::stats::Losses;

#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) progress: Progress,
    /// When the first text, tool call, refusal or reasoning passed.
    pub(crate) first_token: Option<Instant>,
}

/// The JSON text, the properties of the stream, and its losses.
pub(crate) fn streamed(
    operation: Operation,
    body: &DecodedBody,
    framing: Framing,
    charge: &dyn Fn(usize) -> bool,
) -> (String, Stream, Losses) {
    let OperationSpec { assemble, end_marker, .. } = *operation.spec();
    let mended = OnceCell::new();
    let truncated = body.losses.is_truncated.then(|| Node::Object(body.truncated()));
    let stream =
        RecordedStream { bytes: &body.bytes, framing, end_marker, mended: &mended, truncated, charge };
    let Assembled { json, mut progress, first_token } = assemble(stream, operation);
    // A stream whose middle was not recorded may have its terminal event or an error in the tail.
    let (bytes, in_tail) = (body.pieces_of_tail(framing), &OnceCell::new());
    if !bytes.is_empty() {
        let stream = RecordedStream { bytes, framing, end_marker, mended: in_tail, truncated: None, charge };
        let tail = assemble(stream, operation).progress;
        progress.is_done |= tail.is_done;
        progress.has_error |= tail.has_error;
    }
    let stream = Stream { progress, first_token: first_token.and_then(|end| body.moment(end)) };
    let is_mended = mended.get().is_some_and(|mended: &Mended| mended.is_changed);
    (json, stream, Losses { skipped: progress.skipped, is_mended, ..body.losses })
}
