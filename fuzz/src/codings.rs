//! From the bytes of the fuzzer to an encoded body.

use std::io::Write;

use arbitrary::{Result, Unstructured};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use tower_reconify::fuzzing;

const LIMIT: usize = 1024 * 1024;

/// A body, and its length after each of the pieces of text that it was made of.
type Encoded = (Vec<u8>, Vec<usize>);

/// A coding, and what encodes so. In two of them a body may have several members.
type Coding = (&'static str, fn(&[&[u8]]) -> Encoded);

const CODINGS: [Coding; 6] = [
    ("gzip", gzip),
    ("gzip", members),
    ("deflate", zlib),
    ("deflate", deflate),
    ("br", brotli),
    ("zstd", zstd),
];

/// Codings that a header may name. The last two are refused.
const NAMED: [&str; 8] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "identity,zstd , x-gzip",
    "gzip, gzip, gzip, gzip, gzip",
    "?",
];

/// The first byte says what the others are: `0` to `5` a text to be encoded, `a` to `h` an encoded body.
pub fn run(input: &[u8]) {
    let [kind, bytes @ ..] = input else { return };
    match kind {
        b'a'..=b'h' => {
            undone(bytes, usize::from(kind - b'a'));
        }
        b'0'..=b'5' => {
            let _ = encoded(CODINGS[usize::from(kind - b'0')], &mut Unstructured::new(bytes));
        }
        _ => {}
    }
}

/// Bytes that nobody encoded.
fn undone(body: &[u8], named: usize) {
    let codings = NAMED[named];
    // What is something else from the start is as undecodable as an unknown coding.
    let Some((whole, is_cut)) = fuzzing::decode(body, codings, LIMIT) else { return };
    assert!(named < 6 && whole.len() <= LIMIT);
    // The less is kept, the less there is, and of one coding it is the beginning.
    let limit = whole.len() / 2;
    let Some((half, is_half_cut)) = fuzzing::decode(body, codings, limit) else {
        assert!(named >= 4, "the beginning is still the same");
        return;
    };
    assert!(half.len() <= limit);
    if named < 4 {
        assert_eq!(half, whole[..limit]);
        assert_eq!(is_half_cut, limit < whole.len() || is_cut);
    }
}

/// A text that was encoded in pieces, each of them flushed, and then cut.
fn encoded((name, encode): Coding, bytes: &mut Unstructured<'_>) -> Result<()> {
    let cut = usize::from(bytes.arbitrary::<u16>()?);
    let mut ends = bytes.arbitrary::<[u16; 3]>()?.map(usize::from).to_vec();
    let text = bytes.peek_bytes(bytes.len()).unwrap_or_default();
    ends.iter_mut().for_each(|end| *end %= text.len() + 1);
    ends.extend([0, text.len()]);
    ends.sort_unstable();
    let pieces: Vec<&[u8]> = ends.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();

    let (body, lengths) = encode(&pieces);
    let decode = |body| fuzzing::decode(body, name, LIMIT).unwrap_or_else(|| panic!("{name} is known"));
    assert_eq!(decode(&body), (text.to_vec(), false), "{name} of {pieces:?}");
    // What was flushed before a cut is there, and nothing that was not sent.
    let cut = cut % (body.len() + 1);
    let flushed = lengths.iter().filter(|length| **length <= cut).count();
    let (beginning, is_cut) = decode(&body[..cut]);
    assert!(!is_cut && text.starts_with(&beginning), "{name} of {pieces:?} cut at {cut}");
    assert!(beginning.len() >= ends[flushed], "{name} of {pieces:?} cut at {cut}: {beginning:?}");
    Ok(())
}

/// The encoder after these pieces, and the length of the body after each. The encoders share no trait for that.
macro_rules! flushed {
    ($encoder:expr, $pieces:expr) => {{
        let mut encoder = $encoder;
        let mut lengths = Vec::new();
        for piece in $pieces {
            encoder.write_all(piece).and_then(|()| encoder.flush()).expect("memory takes all");
            lengths.push(encoder.get_ref().len());
        }
        (encoder, lengths)
    }};
}

fn gzip(pieces: &[&[u8]]) -> Encoded {
    let (encoder, lengths) = flushed!(GzEncoder::new(Vec::new(), Compression::default()), pieces);
    (encoder.finish().expect("memory takes all"), lengths)
}

fn zlib(pieces: &[&[u8]]) -> Encoded {
    let (encoder, lengths) = flushed!(ZlibEncoder::new(Vec::new(), Compression::default()), pieces);
    (encoder.finish().expect("memory takes all"), lengths)
}

fn deflate(pieces: &[&[u8]]) -> Encoded {
    let (encoder, lengths) = flushed!(DeflateEncoder::new(Vec::new(), Compression::default()), pieces);
    (encoder.finish().expect("memory takes all"), lengths)
}

fn brotli(pieces: &[&[u8]]) -> Encoded {
    let (encoder, lengths) = flushed!(brotli::CompressorWriter::new(Vec::new(), 4096, 2, 16), pieces);
    (encoder.into_inner(), lengths)
}

fn members(pieces: &[&[u8]]) -> Encoded {
    joined(pieces, |piece| gzip(&[piece]).0)
}

fn zstd(pieces: &[&[u8]]) -> Encoded {
    joined(pieces, |piece| zstd::encode_all(piece, 1).expect("memory takes all"))
}

/// A body of a member a piece.
fn joined(pieces: &[&[u8]], member: impl Fn(&[u8]) -> Vec<u8>) -> Encoded {
    let (mut body, mut lengths) = (Vec::new(), Vec::new());
    for piece in pieces {
        body.extend(member(piece));
        lengths.push(body.len());
    }
    (body, lengths)
}
