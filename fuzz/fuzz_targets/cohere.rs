//! Streams of Cohere's three operations: raw, and built in the shape of real ones.

#![no_main]

use tower_reconify::Provider;
use tower_reconify_fuzz::{shapes, streams};

libfuzzer_sys::fuzz_target!(|input: &[u8]| streams::run_native(
    Provider::Cohere,
    &shapes::COHERE_EVENT,
    input
));
