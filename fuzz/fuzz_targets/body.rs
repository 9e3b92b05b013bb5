//! The decoding of bodies, the assembly of streams, and every translation.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tower_reconify::fuzzing::body(input));
