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

/// Undoes the codings of a body as far as it goes: a body that was cut off, or is longer than the limit when decoded, gives
/// its beginning, as does one for which the budget has no room. `None` if a coding is not known, if the body is not encoded
/// in it, or if decoding takes more than the [allowance](super::allowance) has.
///
/// Memory for decoded bytes is charged before it is used: `charge` returns whether there is room for so many more.
pub(super) fn decode(
    body: Bytes,
    codings: &str,
    limit: usize,
    charge: &mut dyn FnMut(usize) -> bool,
) -> Option<Decoded> {
    let tokens = codings.split(',').map(str::trim);
    let tokens: Vec<_> =
        tokens.filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("identity")).collect();
    if tokens.is_empty() {
        return Some(Decoded { body, is_cut: false });
    }
    undo(body, &tokens, limit, charge)
}

#[cfg(feature = "decompression")]
fn undo(
    body: Bytes,
    tokens: &[&str],
    limit: usize,
    charge: &mut dyn FnMut(usize) -> bool,
) -> Option<Decoded> {
    let codings: Vec<_> = tokens.iter().map(|token| streams::Coding::of(token)).collect::<Option<_>>()?;
    if codings.len() > MOST_CODINGS {
        return None;
    }
    // They were applied in the order in which they stand.
    codings.into_iter().rev().try_fold(Decoded { body, is_cut: false }, |decoded, coding| {
        let (body, is_cut) = coding.undo(&decoded.body, limit, charge)?;
        Some(Decoded { body: body.into(), is_cut: decoded.is_cut || is_cut })
    })
}

/// Without decompression, only what is not encoded can be read.
#[cfg(not(feature = "decompression"))]
fn undo(_: Bytes, _: &[&str], _: usize, _: &mut dyn FnMut(usize) -> bool) -> Option<Decoded> {
    None
}

#[cfg(feature = "decompression")]
mod streams {
    use std::io::ErrorKind;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use async_compression::tokio::bufread::{
        BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
    };
    use async_compression::zstd::DParameter;
    use tokio::io::{AsyncRead, ReadBuf};

    use crate::translation::allowance;

    /// The largest window that a sender may use for HTTP (RFC 9659): 8 MiB. The decoder allocates it.
    const ZSTD_WINDOW_LOG: u32 = 23;

    /// The work of a byte of input, beside that of what it becomes: each may build a table for decoding.
    const INPUT_WORK: usize = 6;

    /// The work of a member of gzip, or a frame of zstd: each needs a decoder of its own, and may hold nothing.
    const MEMBER_WORK: usize = 32 * 1024;

    const BLOCK: usize = 8 * 1024;

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
        pub(super) fn undo(
            self,
            body: &[u8],
            limit: usize,
            charge: &mut dyn FnMut(usize) -> bool,
        ) -> Option<(Vec<u8>, bool)> {
            // Brotli with a large window is an extension that HTTP does not have (RFC 7932, 9.1). Its decoder would
            // allocate up to 1 GiB for a few bytes.
            let is_large_brotli =
                matches!(self, Self::Brotli) && body.first().is_some_and(|first| first & 0x7f == 0x11);
            if is_large_brotli || !allowance::examine(body.len().saturating_mul(INPUT_WORK)) {
                return None;
            }
            // Which errors say that a body is not encoded so, and not just cut off.
            let is_broken: fn(ErrorKind) -> bool = match self {
                Self::Gzip | Self::Deflate => {
                    |kind| matches!(kind, ErrorKind::InvalidData | ErrorKind::InvalidInput)
                }
                Self::Brotli | Self::Zstd => |kind| kind != ErrorKind::UnexpectedEof,
            };
            let mut output = Output { bytes: Vec::new(), limit, charge, is_cut: false };
            let mut rest = body;
            loop {
                let before = rest.len();
                let ended = match self {
                    Self::Gzip => {
                        let mut decoder = GzipDecoder::new(rest);
                        let ended = output.read(Pin::new(&mut decoder));
                        rest = decoder.into_inner();
                        ended
                    }
                    Self::Zstd => {
                        let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                        let mut decoder = ZstdDecoder::with_params(rest, &window);
                        let ended = output.read(Pin::new(&mut decoder));
                        rest = decoder.into_inner();
                        ended
                    }
                    // The coding is zlib's format by definition (RFC 9110, 8.4.1.2), and bare deflate from some servers.
                    Self::Deflate if is_zlib(body) => output.read(Pin::new(&mut ZlibDecoder::new(body))),
                    Self::Deflate => output.read(Pin::new(&mut DeflateDecoder::new(body))),
                    Self::Brotli => output.read(Pin::new(&mut BrotliDecoder::new(body))),
                };
                match ended {
                    Ended::Failed(kind) if output.bytes.is_empty() && is_broken(kind) => return None,
                    Ended::Whole if matches!(self, Self::Gzip | Self::Zstd) => {}
                    _ => break,
                }
                if rest.is_empty() || rest.len() == before || !allowance::examine(MEMBER_WORK) {
                    break;
                }
            }
            if allowance::is_exhausted() {
                return None;
            }
            let Output { mut bytes, is_cut, .. } = output;
            let is_cut = is_cut || bytes.len() > limit;
            bytes.truncate(limit);
            Some((bytes, is_cut))
        }
    }

    /// What is decoded, as far as there is room for it.
    struct Output<'a> {
        bytes: Vec<u8>,
        limit: usize,
        charge: &'a mut dyn FnMut(usize) -> bool,
        is_cut: bool,
    }

    /// How a member of a body ended.
    enum Ended {
        Whole,
        /// Nothing more is wanted.
        Full,
        Failed(ErrorKind),
    }

    impl Output<'_> {
        /// Reads to the end, to the limit, or to the first error.
        fn read(&mut self, mut decoder: Pin<&mut impl AsyncRead>) -> Ended {
            let mut block = [0; BLOCK];
            // The body is in memory: reading never has to wait.
            let mut context = Context::from_waker(Waker::noop());
            while self.bytes.len() <= self.limit {
                let mut buffer = ReadBuf::new(&mut block);
                match decoder.as_mut().poll_read(&mut context, &mut buffer) {
                    Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Ended::Whole,
                    Poll::Ready(Ok(())) if self.push(buffer.filled()) => {}
                    Poll::Ready(Err(error)) => return Ended::Failed(error.kind()),
                    Poll::Ready(Ok(())) | Poll::Pending => return Ended::Full,
                }
            }
            Ended::Full
        }

        /// Returns whether there was room.
        fn push(&mut self, block: &[u8]) -> bool {
            if !allowance::examine(2 * block.len()) {
                return false;
            }
            let (needed, capacity) = (self.bytes.len() + block.len(), self.bytes.capacity());
            if needed > capacity {
                let more = (capacity * 2).clamp(BLOCK, self.limit.max(BLOCK)).max(needed) - capacity;
                if !(self.charge)(more) {
                    self.is_cut = true;
                    return false;
                }
                self.bytes.reserve_exact(capacity + more - self.bytes.len());
            }
            self.bytes.extend_from_slice(block);
            true
        }
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
