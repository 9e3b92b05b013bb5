//! Fuzzes binary event streams.

use std::cell::Cell;

use super::{answer_of, budget, message};
use crate::codec::frames::{Frame, Frames, first_in, looks_like_frames};
use crate::codec::json;
use crate::provider::operation::{Operation, Provider};
use crate::translation::Effort;
use crate::translation::body::ReportedBody;
use crate::translation::context::BodyContext;

/// Splits a stream into frames.
pub fn frames(stream: &[u8]) {
    let mut frames = Frames::new(stream);
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    let mut left = frames.left();
    while let Some(frame) = frames.next() {
        assert!(frames.left() + 16 + frame.payload.len() <= left, "a frame is longer than its payload");
        left = frames.left();
        all.push(frame);
        ends.push(stream.len() - left);
    }
    assert_eq!(frames.is_broken(), left > 0, "bytes are left of a broken stream only");
    assert!(frames.next().is_none(), "the end is the end");
    assert!(looks_like_frames(stream) || all.is_empty());
    assert!(first_in(stream).is_none_or(|start| looks_like_frames(stream.get(start..).unwrap_or_default())));
    // Frames do not depend on their surroundings.
    let middle = all.len() / 2;
    let Some(end) = middle.checked_sub(1).and_then(|last| ends.get(last)) else { return };
    let (before, after) = stream.split_at(*end);
    assert!(Frames::new(before).eq(all.drain(..middle)), "the beginning is as it was");
    assert!(Frames::new(after).eq(all.into_iter()), "the rest is as it was");
    let none: Option<Frame<'_>> = Frames::new(stream.get(..stream.len().min(15)).unwrap_or_default()).next();
    assert_eq!(none, None, "nothing shorter is a frame");
}

/// Assembles a stream as one of Bedrock's operations. `0` as the first byte is the first operation.
pub fn bedrock(operation: u8, stream: &[u8]) {
    let operations: Vec<Operation> = Provider::Bedrock.operations().collect();
    let Some(operation) = super::choice(&operations, operation) else { return };
    let budget = budget();
    let charged = Cell::new(0);
    let reading =
        BodyContext { operation, budget: &budget, converts: true, effort: Effort::Full, charged: &charged };
    let streamed = |stream: &[u8], more| {
        let mut message = message(b'-', b'-', stream);
        message.body.passed += more;
        charged.set(0);
        answer_of(&reading, message)
    };
    let whole = streamed(stream, 0);
    let Some(progress) = whole.stream.as_ref().map(|stream| stream.progress) else { return };
    check_object(&whole);
    assert!(progress.skipped <= 1 + progress.chunks * 2 + stream.len() as u64, "{progress:?}");
    let most = 16 * String::from_utf8_lossy(stream).len() + 1_024;
    assert!(whole.json.get().len() <= most, "a report is about as long as its stream: {}", whole.json.get());
    let truncated = streamed(stream, 1);
    assert!(truncated.losses.is_truncated && truncated.json.get().contains("\"truncated\""));
    check_object(&truncated);
    // A frame that is cut off is counted and changes nothing else.
    if Frames::new(stream).last().is_some() && !is_broken(stream) {
        let cut = streamed(&[stream, b"\0\0\0"].concat(), 0);
        assert_eq!(cut.json.get(), whole.json.get());
        assert!(cut.stream.is_some_and(|stream| stream.progress.skipped == progress.skipped + 1));
    }
}

fn is_broken(stream: &[u8]) -> bool {
    let mut frames = Frames::new(stream);
    frames.by_ref().for_each(drop);
    frames.is_broken()
}

/// Asserts that an assembled stream is an object. Null would mean that it was not JSON.
fn check_object(content: &ReportedBody) {
    assert!(json::object(&content.json.raw()).is_some(), "{}", content.json.get());
}
