//! The splitting of binary event streams: raw ones, and ones with correct checksums of which the first two bytes may spoil a
//! byte.

#![no_main]

use tower_reconify::fuzzing;
use tower_reconify_fuzz::frames;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzzing::frames(input);
    let [place, spoiled, text @ ..] = input else { return };
    let mut stream = frames::of_lines(text);
    if let Some(byte) = stream.get_mut(usize::from(*place)) {
        *byte ^= spoiled & 0x0f;
    }
    fuzzing::frames(&stream);
});
