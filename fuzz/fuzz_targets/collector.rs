//! What is posted to the collector.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| reconify_collector::fuzzing::report(body));
