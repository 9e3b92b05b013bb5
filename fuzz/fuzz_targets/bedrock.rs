//! Bedrock's streams. The first byte chooses the operation; each line of the rest becomes a frame. After a third operation,
//! which Bedrock does not have, follows the stream itself.

#![no_main]

use tower_reconify::fuzzing;
use tower_reconify_fuzz::frames;

libfuzzer_sys::fuzz_target!(|input: &[u8]| match input {
    [b'2', operation, stream @ ..] => fuzzing::bedrock(*operation, stream),
    [operation, text @ ..] => fuzzing::bedrock(*operation, &frames::of_lines(text)),
    [] => {}
});
