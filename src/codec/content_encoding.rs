//! Undoes content codings on the copy that is reported.

use bytes::Bytes;

/// The maximum number of codings per body. More are an attack or a mistake.
#[cfg(feature = "decompression")]
const MOST_CODINGS: usize = 4;

/// A body with its codings undone.
#[derive(Default)]
pub(crate) struct Decoded {
    pub(crate) body: Bytes,
    /// The decoded bytes exceeded the limit or did not fit into the budget.
    pub(crate) is_cut: bool,
}

/// Undoes the codings of a body as far as possible.
///
/// The result is only the beginning if the body was cut off, exceeds the limit when decoded, or
/// does not fit into the budget. `None` if a coding is unknown, if the body is not encoded in it,
/// or if decoding exceeds the [allowance](super::allowance).
///
/// `charge` is called before memory for decoded bytes is used. It returns whether there is room for
/// that many more.
pub(crate) fn decode(
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
    // The header lists codings in the order in which they were applied.
    codings.into_iter().rev().try_fold(Decoded { body, is_cut: false }, |decoded, coding| {
        let (body, is_cut) = coding.undo(&decoded.body, limit, charge)?;
        Some(Decoded { body: body.into(), is_cut: decoded.is_cut || is_cut })
    })
}

/// Without the decompression features, only bodies without codings can be read.
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

    use crate::codec::allowance;

    /// The largest window that a sender may use for HTTP (RFC 9659): 8 MiB. The decoder allocates
    /// it.
    const ZSTD_WINDOW_LOG: u32 = 23;

    /// The work per byte of input, beside that of its output: each byte may build a decoding table.
    const INPUT_WORK: usize = 6;

    /// The work per gzip member or zstd frame: each needs a new decoder, and may be empty.
    const MEMBER_WORK: usize = 32 * 1024;

    const BLOCK: usize = 8 * 1024;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Coding {
        Gzip,
        Deflate,
        Brotli,
        Zstd,
    }

    impl Coding {
        pub(crate) fn of(token: &str) -> Option<Self> {
            match token.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Some(Self::Gzip),
                "deflate" => Some(Self::Deflate),
                "br" => Some(Self::Brotli),
                "zstd" => Some(Self::Zstd),
                _ => None,
            }
        }

        /// The bytes up to the limit, and whether there were more. `None` if the body does not
        /// begin in this coding.
        pub(crate) fn undo(
            self,
            body: &[u8],
            limit: usize,
            charge: &mut dyn FnMut(usize) -> bool,
        ) -> Option<(Vec<u8>, bool)> {
            // Brotli with a large window is an extension that HTTP does not have (RFC 7932, 9.1).
            // Its decoder would allocate up to 1 GiB for a few bytes.
            let is_large_brotli =
                matches!(self, Self::Brotli) && body.first().is_some_and(|first| first & 0x7f == 0x11);
            if is_large_brotli || !allowance::examine(body.len().saturating_mul(INPUT_WORK)) {
                return None;
            }
            // The errors that mean a wrong coding rather than a body that was cut off.
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
                    // By definition the coding is zlib's format (RFC 9110, 8.4.1.2), but some
                    // servers send bare deflate.
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

    /// The decoded bytes, within the limit and the budget.
    struct Output<'a> {
        bytes: Vec<u8>,
        limit: usize,
        charge: &'a mut dyn FnMut(usize) -> bool,
        is_cut: bool,
    }

    /// How a member of a body ended.
    enum Ended {
        Whole,
        /// The output is full.
        Full,
        Failed(ErrorKind),
    }

    impl Output<'_> {
        /// Reads to the end, to the limit, or to the first error.
        fn read(&mut self, mut decoder: Pin<&mut impl AsyncRead>) -> Ended {
            let mut block = [0; BLOCK];
            // The body is in memory, so reading never has to wait.
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

    /// Whether the two bytes of zlib's header are present (RFC 1950, 2.2).
    fn is_zlib(body: &[u8]) -> bool {
        match body {
            [method, flags, ..] => {
                method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
            }
            // The body was cut off inside the header.
            [method] => method & 0x0f == 8,
            [] => false,
        }
    }
}

#[cfg(test)]
#[cfg(feature = "decompression")]
mod tests {
    use std::io::Cursor;

    use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
    use tokio::io::{AsyncRead, AsyncReadExt};

    use super::*;
    use crate::codec::allowance::{Allowance, Cost};

    const LIMIT: usize = 1024 * 1024;

    fn read(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut encoded = Vec::new();
        let reading = encoder.read_to_end(&mut encoded);
        futures_executor::block_on(reading).unwrap();
        encoded
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        read(GzipEncoder::new(Cursor::new(text)))
    }

    fn decoded(body: &[u8], codings: &str) -> Option<Vec<u8>> {
        let decoded = decode(Bytes::copy_from_slice(body), codings, LIMIT, &mut |_| true);
        decoded.map(|decoded| decoded.body.to_vec())
    }

    fn cost(allowance: Allowance, body: &[u8], codings: &str) -> (bool, Cost) {
        let (decoded, cost) = allowance.within(|| decoded(body, codings).is_some());
        (decoded, cost)
    }

    #[test]
    fn brotli_with_a_large_window_is_not_decoded_and_costs_nothing() {
        // The first byte of every such stream, then a window of a gigabyte.
        let large = [0x11, 0x1e, 0, 0, 0];
        assert_eq!(decoded(&large, "br"), None);
        assert_eq!(decoded(&gzip(&large), "br, gzip"), None);
        assert_eq!(cost(Allowance::SMALL, &large, "br").1.work, 0);
        for length in [0, 1, 1_000, 100_000] {
            let text = vec![b'a'; length];
            assert_eq!(decoded(&read(BrotliEncoder::new(Cursor::new(&*text))), "br"), Some(text));
        }
    }

    /// A frame with one byte of content and this window exponent (RFC 8878, 3.1.1.1.2).
    fn zstd(window: u8) -> [u8; 10] {
        [0x28, 0xb5, 0x2f, 0xfd, 0, (window - 10) << 3, 9, 0, 0, b'a']
    }

    #[test]
    fn zstd_is_decoded_with_windows_of_up_to_eight_megabytes() {
        assert_eq!(decoded(&zstd(10), "zstd"), Some(b"a".to_vec()));
        assert_eq!(decoded(&zstd(23), "zstd"), Some(b"a".to_vec()));
        assert_eq!(decoded(&zstd(24), "zstd"), None);
        assert_eq!(decoded(&zstd(27), "zstd"), None);
        assert_eq!(
            decoded(&read(ZstdEncoder::new(Cursor::new(&b"text"[..]))), "zstd"),
            Some(b"text".to_vec())
        );
    }

    #[test]
    fn members_are_decoded_one_after_the_other_whether_or_not_they_hold_anything() {
        let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(decoded(&members, "gzip"), Some(b"one two".to_vec()));
        assert_eq!(decoded(&[&*members, b"\0\0\0"].concat(), "gzip"), Some(b"one two".to_vec()), "padding");
        let frames = [zstd(10), zstd(12)].concat();
        assert_eq!(decoded(&frames, "zstd"), Some(b"aa".to_vec()));
    }

    #[test]
    fn many_empty_members_use_the_work_allowance_up() {
        let members = gzip(b"").repeat(100_000);
        for allowance in [Allowance::SMALL, Allowance::LARGE] {
            let (is_decoded, cost) = cost(allowance, &members, "gzip");
            assert!(!is_decoded && cost.is_exhausted, "{cost:?}");
        }
        assert!(cost(Allowance::SMALL, &gzip(&gzip(b"").repeat(10_000)), "gzip, gzip").1.is_exhausted);
        assert!(!cost(Allowance::SMALL, &gzip(b"a").repeat(30), "gzip").1.is_exhausted);
    }

    #[test]
    fn what_a_little_becomes_is_work_too() {
        let bomb = gzip(&vec![0; LIMIT]);
        let (is_decoded, cost_of_all) = cost(Allowance::LARGE, &bomb, "gzip");
        assert!(is_decoded && cost_of_all.work >= LIMIT, "{cost_of_all:?}");
        let (is_decoded, cost) = cost(Allowance { work: LIMIT, ..Allowance::SMALL }, &bomb, "gzip");
        assert!(!is_decoded && cost.is_exhausted, "{cost:?}");
    }

    #[test]
    fn memory_is_charged_before_it_is_used_and_without_room_the_beginning_is_kept() {
        let body = Bytes::from(gzip(&vec![b'a'; 500_000]));
        for room in [0, 8 * 1024, 100_000, 1_000_000] {
            let mut charged = 0;
            let mut charge = |bytes| {
                let has_room = charged + bytes <= room;
                charged += if has_room { bytes } else { 0 };
                has_room
            };
            let Decoded { body, is_cut } = decode(body.clone(), "gzip", LIMIT, &mut charge).unwrap();
            assert!(body.len() <= charged && charged <= room, "{} of {charged}, {room} allowed", body.len());
            assert_eq!(is_cut, body.len() < 500_000);
            assert!(body.len() >= room.min(500_000) / 4, "{} of {room}", body.len());
        }
    }
}
