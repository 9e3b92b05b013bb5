//! The defaults, each with its reason.

use std::time::Duration;

/// Where both of the vendor's modules post interactions; the REST documentation names no address.
pub(super) const DEFAULT_ENDPOINT: &str = "https://track.reconify.com/track";

/// Ten thousand items are ten seconds of 1,000 exchanges a second: enough to ride out a collector's restart.
pub(super) const DEFAULT_MAX_ITEMS: usize = 10_000;

/// 64 MiB hold about 10,900 exchanges of 4 KiB, each charged 2 KiB more, and are small beside what a gateway process uses anyway.
pub(super) const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Four base64 images of the largest common size are 12 to 16 MiB.
pub(super) const DEFAULT_MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// With the pauses between them six and a half minutes on average.
pub(super) const DEFAULT_MAX_ATTEMPTS: u32 = 20;

/// A weekend.
pub(super) const DEFAULT_MAX_AGE: Duration = Duration::from_secs(72 * 60 * 60);

/// A host that does not accept within three seconds is down or unreachable; a retry finds out sooner.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One attempt, from connecting to the end of the answer: long beside a healthy collector's milliseconds, short
/// enough that a hanging one cannot hold all deliveries for long.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Enough for tens of thousands of reports a second on loopback and for hundreds over a slow link, and polite to the
/// collector.
pub(crate) const MAX_DELIVERIES: usize = 32;

/// An hour of 20 exchanges a second of 4 KiB.
pub(super) const DEFAULT_SPOOL_MAX_BYTES: u64 = 256 * 1024 * 1024;
