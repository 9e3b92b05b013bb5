//! A stream, as the object that the unstreamed call would have returned.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Instant;

use super::decoded_body::DecodedBody;
use crate::codec::allowance;
use crate::codec::framing::{Framing, Mended, Pieces};
use crate::codec::json::{self, Node};
use crate::provider::openai::assembly::Assembly;
use crate::provider::openai::chat::chunk::Progress;
use crate::provider::operation::Operation;
use crate::stats::Losses;

#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Whether it said by itself that it is whole.
    pub(crate) is_done: bool,
    /// Whether every choice has a finish reason.
    pub(crate) is_finished: bool,
    /// Whether it carried an error.
    pub(crate) has_error: bool,
    /// Events with data, without the one that ends it.
    pub(crate) chunks: u64,
    /// When the first text, tool call, refusal or reasoning passed.
    pub(crate) first_token: Option<Instant>,
}

/// The JSON text, what else there is to say, and what is missing.
pub(crate) fn streamed(
    operation: Operation,
    body: &DecodedBody,
    framing: Framing,
) -> (String, Stream, Losses) {
    // Data that cannot be read where it stands has to be put somewhere that outlives the assembly. It is rare.
    let is_utf8 = json::is_utf8(&body.bytes);
    let (mended, mut elsewhere) = (OnceCell::new(), None);
    let mut assembly = Assembly::of(operation);
    let mut pieces = Pieces::new(framing, &body.bytes);
    let mut first_token = None;
    allowance::examine(body.bytes.len());
    while let Some(event) = pieces.next() {
        if allowance::is_exhausted() {
            break;
        }
        let is_read = match event.data {
            Cow::Borrowed(data) if is_utf8 || json::is_utf8(data) => assembly.add(event.name, data),
            _ => false,
        };
        if !is_read {
            let left = pieces.left();
            let elsewhere = elsewhere.get_or_insert_with(|| {
                mended.get_or_init(|| Mended::of(framing, &body.bytes)).iter().peekable()
            });
            while elsewhere.next_if(|(place, _)| *place > left).is_some() {}
            match elsewhere.next_if(|(place, _)| *place == left) {
                Some((_, data)) if assembly.add(event.name, data) => {}
                _ => assembly.skip(),
            }
        }
        if assembly.progress.has_token && first_token.is_none() {
            first_token = Some((body.bytes.len() - pieces.left()) as u64);
        }
    }
    if body.losses.is_truncated {
        assembly.mark_truncated(Node::Object(body.truncated()));
    }
    let Progress { is_done, is_finished, has_error, chunks, skipped, .. } = assembly.progress();
    let stream = Stream {
        is_done: is_done || body.is_done_at_the_end(),
        is_finished,
        has_error,
        chunks,
        first_token: first_token.and_then(|end| body.moment(end)),
    };
    let json = assembly.finish(operation);
    let is_mended = mended.get().is_some_and(|mended| mended.is_changed);
    let losses = Losses { skipped, is_mended, ..body.losses };
    (json, stream, losses)
}
