//! The defaults, each with its reason.

use std::time::Duration;

/// Both of the vendor's modules post to this address; the REST documentation names none.
pub(super) const DEFAULT_ENDPOINT: &str = "https://track.reconify.com/track";

/// Ten seconds of 1,000 exchanges a second: a collector restarts in less time.
pub(super) const DEFAULT_MAX_ITEMS: usize = 10_000;

/// About 10,900 exchanges of 4 KiB, since each is charged 2 KiB more. A gateway process uses more memory than
/// this anyway.
pub(super) const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Four base64 images of the largest common size are 12 to 16 MiB.
pub(super) const DEFAULT_MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// With the pauses between them, 20 attempts take six and a half minutes on average: longer than a deployment of
/// the collector.
pub(super) const DEFAULT_MAX_ATTEMPTS: u32 = 20;

/// The collector may be down for a weekend.
pub(super) const DEFAULT_MAX_AGE: Duration = Duration::from_secs(72 * 60 * 60);

/// Enough for tens of thousands of reports a second on loopback and for hundreds over a slow link, without flooding
/// the collector.
pub(super) const DEFAULT_CONCURRENT_DELIVERIES: usize = 32;

/// More connections than this exhaust the file descriptors of a usual process.
pub(super) const MAX_CONCURRENT_DELIVERIES: usize = 1_024;

/// One hour of 20 exchanges of 4 KiB each second.
pub(super) const DEFAULT_SPOOL_MAX_BYTES: u64 = 256 * 1024 * 1024;
