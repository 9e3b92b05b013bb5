//! Segments of the spool, and records between garbage.

#![no_main]

libfuzzer_sys::fuzz_target!(|segment: &[u8]| tower_reconify::fuzzing::spool::segment(segment));
