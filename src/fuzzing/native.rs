//! Fuzzes the streams of providers other than OpenAI.

use std::cell::Cell;

use super::{answer_of, budget, choice, message};
use crate::codec::json;
use crate::provider::operation::{Operation, Provider};
use crate::translation::Effort;
use crate::translation::body::ReportedBody;
use crate::translation::context::BodyContext;

/// Assembles a stream as one of the provider's operations. The first byte chooses the operation (`0`
/// is the first), and the second the media type.
pub fn native(provider: Provider, input: &[u8]) {
    let [operation, media_type, stream @ ..] = input else { return };
    let operations: Vec<Operation> = provider.operations().collect();
    let Some(operation) = choice(&operations, *operation) else { return };
    let budget = budget();
    let charged = Cell::new(0);
    let reading =
        BodyContext { operation, budget: &budget, converts: true, effort: Effort::Full, charged: &charged };
    let streamed = |stream: &[u8], more| {
        let mut message = message(*media_type, b'-', stream);
        message.body.passed += more;
        answer_of(&reading, message)
    };
    let whole = streamed(stream, 0);
    check_native(&reading, &whole);
    if whole.stream.is_none() {
        return;
    }
    assert_eq!(streamed(stream, 0).json.get(), whole.json.get(), "the same stream gives the same report");
    // An invalid byte becomes three bytes, and a number of an item or a call a whole object.
    let most = 16 * String::from_utf8_lossy(stream).len() + 1_024;
    assert!(whole.json.get().len() <= most, "a report is about as long as its stream: {}", whole.json.get());
    // A truncated stream is marked, and an object as well.
    let truncated = streamed(stream, 1);
    check_native(&reading, &truncated);
    assert!(truncated.losses.is_truncated && truncated.json.get().contains("\"truncated\""));
    // So is a stream that breaks off.
    check_native(&reading, &streamed(stream.get(..stream.len() / 2).unwrap_or_default(), 0));
}

/// Asserts that a stream becomes an object with the field that consoles expect, or an error.
fn check_native(reading: &BodyContext<'_>, content: &ReportedBody) {
    let raw = content.json.raw();
    assert!(json::parse(content.json.bytes()).is_some(), "a report is JSON: {raw}");
    if let Some(stream) = &content.stream {
        let fields = json::object(&raw).expect("an assembled stream is an object");
        let has = |name: &str| json::field(&fields, name).is_some();
        let placeholder = reading.placeholders().response.expect("every operation has one");
        // A last event with the whole response stays as it was sent.
        assert!(stream.progress.is_done || has("error") || has(placeholder.key), "{raw}");
    }
}
