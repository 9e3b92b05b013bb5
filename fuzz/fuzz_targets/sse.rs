//! The splitting of event streams.

#![no_main]

libfuzzer_sys::fuzz_target!(|stream: &[u8]| tower_reconify::fuzzing::events(stream));
