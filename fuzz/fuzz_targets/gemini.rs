//! Streams of Gemini: raw, as events or as an array, built in the shape of real chunks, and scripted with a known outcome.

#![no_main]

use tower_reconify::Operation;
use tower_reconify_fuzz::{script, shapes, streams};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    streams::run(Operation::GeminiGenerate, &shapes::GENERATED_CHUNK, script::generated, input);
});
