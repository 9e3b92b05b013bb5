//! Content codings: of bytes that nobody encoded, and of a text that was encoded, joined and cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tower_reconify_fuzz::codings::run(input));
