//! Streamed messages: raw, built in the shape of real events, and scripted with a known outcome. After a `2`: a streamed
//! completion of the older API.

#![no_main]

use tower_reconify::{Operation, fuzzing};
use tower_reconify_fuzz::{script, shapes, streams};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    match input {
        [b'2', stream @ ..] => drop(fuzzing::stream(Operation::AnthropicCompletion, stream)),
        _ => streams::run(Operation::AnthropicMessages, &shapes::MESSAGE_EVENT, script::message, input),
    }
});
