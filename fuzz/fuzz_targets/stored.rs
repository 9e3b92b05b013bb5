//! Reports that were stored elsewhere, and where their keys go.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| tower_reconify::fuzzing::stored(text));
