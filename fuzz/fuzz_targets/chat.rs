//! Streamed chats: raw, built in the shape of real chunks, and scripted with a known outcome.

#![no_main]

use tower_reconify::Operation;
use tower_reconify_fuzz::{script, shapes, streams};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    streams::run(Operation::Chat, &shapes::CHUNK, script::chat, input);
});
