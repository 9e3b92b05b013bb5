//! Base64 inside JSON: found, and left out.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| tower_reconify::fuzzing::media(text));
