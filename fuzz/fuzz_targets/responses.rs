//! Streams of the Responses API: raw, built in the shape of real events, and scripted with a known outcome.

#![no_main]

use tower_reconify::Operation;
use tower_reconify_fuzz::{script, shapes, streams};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    streams::run(Operation::Responses, &shapes::RESPONSES_EVENT, script::responses, input);
});
