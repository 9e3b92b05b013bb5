//! Content codings, undone on the copy that is reported.

use bytes::Bytes;

/// A body may be encoded more than once. More often than this is an attack or a mistake.
#[cfg(feature = "decompression")]
const MOST_CODINGS: usize = 4;

/// A body without its codings.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) body: Bytes,
    /// There was more than the limit allows for.
    pub(super) is_cut: bool,
}

/// Undoes the codings of a body as far as it goes: a body that was cut off, or is longer than the limit when decoded,
/// gives its beginning. `None` if a coding is not known, or the body is not encoded in it.
pub(super) fn decode(body: Bytes, codings: &str, limit: usize) -> Option<Decoded> {
    let tokens = codings.split(',').map(str::trim);
    let tokens: Vec<_> =
        tokens.filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("identity")).collect();
    if tokens.is_empty() {
        return Some(Decoded { body, is_cut: false });
    }
    undo(body, &tokens, limit)
}

#[cfg(feature = "decompression")]
fn undo(body: Bytes, tokens: &[&str], limit: usize) -> Option<Decoded> {
    let codings: Vec<_> = tokens.iter().map(|token| streams::Coding::of(token)).collect::<Option<_>>()?;
    if codings.len() > MOST_CODINGS {
        return None;
    }
    // They were applied in the order in which they stand.
    codings.into_iter().rev().try_fold(Decoded { body, is_cut: false }, |decoded, coding| {
        let (body, is_cut) = coding.undo(&decoded.body, limit)?;
        Some(Decoded { body: body.into(), is_cut: decoded.is_cut || is_cut })
    })
}

/// Without decompression, only what is not encoded can be read.
#[cfg(not(feature = "decompression"))]
fn undo(_: Bytes, _: &[&str], _: usize) -> Option<Decoded> {
    None
}

#[cfg(feature = "decompression")]
mod streams {
    use std::io::ErrorKind;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use async_compression::tokio::bufread::{
        BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
    };
    use tokio::io::{AsyncRead, ReadBuf};

    #[derive(Clone, Copy, Debug)]
    pub(super) enum Coding {
        Gzip,
        Deflate,
        Brotli,
        Zstd,
    }

    impl Coding {
        pub(super) fn of(token: &str) -> Option<Self> {
            match token.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Some(Self::Gzip),
                "deflate" => Some(Self::Deflate),
                "br" => Some(Self::Brotli),
                "zstd" => Some(Self::Zstd),
                _ => None,
            }
        }

        /// The bytes, up to the limit, and whether there were more. `None` if it is something else from the start.
        pub(super) fn undo(self, body: &[u8], limit: usize) -> Option<(Vec<u8>, bool)> {
            // Which errors say that a body is not encoded so, and not just cut off.
            let is_broken: fn(ErrorKind) -> bool = match self {
                Self::Gzip | Self::Deflate => {
                    |kind| matches!(kind, ErrorKind::InvalidData | ErrorKind::InvalidInput)
                }
                Self::Brotli | Self::Zstd => |kind| kind != ErrorKind::UnexpectedEof,
            };
            match self {
                Self::Gzip => {
                    let mut decoder = GzipDecoder::new(body);
                    decoder.multiple_members(true);
                    read(pin!(decoder), limit, is_broken)
                }
                // The coding is zlib's format by definition (RFC 9110, 8.4.1.2), and bare deflate from some servers.
                Self::Deflate if is_zlib(body) => read(pin!(ZlibDecoder::new(body)), limit, is_broken),
                Self::Deflate => read(pin!(DeflateDecoder::new(body)), limit, is_broken),
                Self::Brotli => read(pin!(BrotliDecoder::new(body)), limit, is_broken),
                Self::Zstd => {
                    let mut decoder = ZstdDecoder::new(body);
                    decoder.multiple_members(true);
                    read(pin!(decoder), limit, is_broken)
                }
            }
        }
    }

    /// Reads to the end, to the limit, or to the first error. `None` if that is all there is.
    fn read(
        mut decoder: Pin<&mut impl AsyncRead>,
        limit: usize,
        is_broken: impl Fn(ErrorKind) -> bool,
    ) -> Option<(Vec<u8>, bool)> {
        let mut whole = Vec::new();
        let mut block = [0; 8 * 1024];
        // The body is in memory: reading never has to wait.
        let mut context = Context::from_waker(Waker::noop());
        while whole.len() <= limit {
            let mut buffer = ReadBuf::new(&mut block);
            match decoder.as_mut().poll_read(&mut context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    whole.extend_from_slice(buffer.filled())
                }
                Poll::Ready(Err(error)) if whole.is_empty() && is_broken(error.kind()) => {
                    return None;
                }
                _ => break,
            }
        }
        let is_cut = whole.len() > limit;
        whole.truncate(limit);
        Some((whole, is_cut))
    }

    /// Whether the two bytes of zlib's header are there (RFC 1950, 2.2).
    fn is_zlib(body: &[u8]) -> bool {
        match body {
            [method, flags, ..] => {
                method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
            }
            // Cut off in the middle of it.
            [method] => method & 0x0f == 8,
            [] => false,
        }
    }
}
