//! Whole bodies of any operation, type and coding: decoded, put together, translated.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tower_reconify::fuzzing::body(input));
