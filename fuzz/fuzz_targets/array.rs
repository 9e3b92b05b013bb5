//! The splitting of arrays.

#![no_main]

libfuzzer_sys::fuzz_target!(|array: &[u8]| tower_reconify::fuzzing::array(array));
