use super::*;
use crate::codec::allowance::{Allowance, Cost};
use crate::codec::frames::Frames;
use crate::codec::frames::tests::exception;

fn within(operation: Operation, frames: &[u8]) -> (Assembled, Cost) {
    Allowance::LARGE.within(|| assembled(operation, frames, None))
}

/// The cost of a stream and of one with twice as many events.
fn costs(operation: Operation, event: &[u8]) -> [Cost; 2] {
    [2_000, 4_000].map(|count| {
        let (assembled, cost) = within(operation, &event.repeat(count));
        assert!(serde_json::from_str::<Value>(&assembled.json).is_ok());
        assert!(cost.peak <= Allowance::LARGE.nodes, "{cost:?}");
        cost
    })
}

#[test]
fn many_blocks_with_indices_of_any_size_are_capped_and_the_end_is_still_read() {
    let delta = |index: usize| {
        event("contentBlockDelta", &format!(r#"{{"contentBlockIndex":{index},"delta":{{"text":"a"}}}}"#))
    };
    let mut frames: Vec<u8> = (0..10_000).flat_map(|index| delta(1_000_000_000 + index)).collect();
    frames.extend(event("messageStop", r#"{"stopReason":"end_turn"}"#));
    frames.extend(event("metadata", "{}"));
    let (assembled, cost) = within(Operation::BedrockConverse, &frames);
    let (response, progress) = read(&assembled);
    assert_eq!(response["output"]["message"]["content"].as_array().unwrap().len(), 4_096);
    assert!(!cost.is_exhausted && progress.is_done && progress.skipped == 10_000 - 4_096, "{progress:?}");
}

#[test]
fn many_texts_are_capped_too() {
    let frames: Vec<u8> =
        (0..2_000).flat_map(|index| chunk(&format!(r#"{{"text":"a","index":{index}}}"#))).collect();
    let (response, progress) = read(&within(Operation::BedrockInvoke, &frames).0);
    assert_eq!(response["generations"].as_array().unwrap().len(), 1_024);
    assert!(progress.skipped >= 2_000 - 1_024);
}

#[test]
fn the_work_is_linear_in_the_length_of_any_stream() {
    let delta =
        |delta: &str| event("contentBlockDelta", &format!(r#"{{"contentBlockIndex":0,"delta":{delta}}}"#));
    let streams = [
        (Operation::BedrockConverse, delta(r#"{"text":"aaaa"}"#)),
        (Operation::BedrockConverse, delta(r#"{"citation":{"a":1}}"#)),
        (Operation::BedrockConverse, delta(r#"{"toolResult":[{"a":1}]}"#)),
        (Operation::BedrockConverse, delta(r#"{"toolUse":{"input":"[["}}"#)),
        (Operation::BedrockConverse, event("metadata", r#"{"a":{"b":1}}"#)),
        (Operation::BedrockInvoke, chunk(r#"{"generation":"aaaa"}"#)),
        (Operation::BedrockInvoke, chunk(r#"{"outputs":[{"text":"a"},{"text":"b"}]}"#)),
    ];
    for (operation, event) in streams {
        let [one, two] = costs(operation, &event);
        assert!(two.work <= 2 * one.work + 1_000, "{one:?} {two:?}");
    }
}

#[test]
fn deep_nesting_takes_no_stack() {
    let deep = format!(
        r#"{{"contentBlockIndex":0,"delta":{{"x":{}1{}}}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let (assembled, _) = within(Operation::BedrockConverse, &event("contentBlockDelta", &deep));
    assert!(assembled.json.contains("[[[[1]]]]"));
}

#[test]
fn an_end_without_a_valid_frame_is_looked_at_once() {
    // Each length would reach over all that follows.
    let mut frames = event("messageStart", r#"{"role":"user"}"#);
    let lengths = [1 << 24, 0_u32].map(u32::to_be_bytes).concat();
    let prelude = [&lengths[..], &crc32fast::hash(&lengths).to_be_bytes()].concat();
    frames.extend(prelude.repeat(100_000));
    let mut read = Frames::new(&frames);
    assert_eq!((read.by_ref().count(), read.is_broken()), (1, true));
    let (assembled, cost) = within(Operation::BedrockConverse, &frames);
    assert_eq!((assembled.progress.chunks, assembled.progress.skipped), (2, 1));
    assert!(cost.work <= 3 * frames.len(), "{cost:?}");
}

#[test]
fn without_room_for_its_lines_a_stream_is_not_read() {
    let frames = event("messageStart", r#"{"role":"user"}"#);
    let stream = RecordedStream {
        bytes: &frames,
        framing: Framing::Frames,
        end_marker: EndMarker(None),
        mended: &OnceCell::new(),
        truncated: None,
        charge: &|bytes| {
            assert!((1..=2 * frames.len()).contains(&bytes));
            false
        },
    };
    let read = || (PROVIDER.operations[0].assemble)(stream, Operation::BedrockConverse);
    assert!(Allowance::LARGE.within(read).1.is_exhausted, "the result is discarded");
}

#[test]
fn an_exception_that_is_no_json_is_reported_in_part_because_its_escapes_are_longer() {
    let frames = exception("throttlingException", &"\u{1}".repeat(1_000_000));
    let (response, progress) = read(&within(Operation::BedrockConverse, &frames).0);
    assert_eq!(response["error"]["message"].as_str().unwrap().len(), 16 * 1024);
    assert!(progress.has_error && !progress.is_done);
}
