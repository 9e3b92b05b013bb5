//! The settings that say how much is held, and for how long.

use std::time::Duration;

use super::builder::ConfigBuilder;

impl ConfigBuilder {
    /// How many exchanges that have ended may wait or be delivered at once. Beyond it the newest is dropped and counted.
    /// Exchanges that are still open do not count; [`max_bytes`](Self::max_bytes) limits them. Default: 10,000, ten seconds of
    /// 1,000 exchanges a second.
    #[must_use]
    pub fn max_items(mut self, items: usize) -> Self {
        self.max_items = items;
        self
    }

    /// How many bytes of recorded bodies and reports may be held at once. Beyond it the newest is dropped and counted.
    /// Default: 64 MiB, about 10,900 exchanges of 4 KiB, since each is charged 2 KiB from its start, beside its bodies. Below
    /// 2 KiB nothing is captured.
    ///
    /// A body of more than 64 KiB may fill three quarters of it, and one of more than 1 MiB half, so that large bodies leave
    /// room for small ones. A body of more than 1 MiB must therefore fit into half of it, or its exchange is dropped.
    ///
    /// What an envelope adds to a report, up to 4 KiB, is granted, and so is one segment at a time that comes back from the
    /// spool: 1 MiB, or a single report that is longer. Memory that was in use and is kept for the next exchanges, 6.5 MB at the most, comes on
    /// top of it.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many bytes of one body are kept. Default: 16 MiB, so that answers with several base64 images fit. Of a longer
    /// body, everything that is complete up to this point is reported: events, fields, messages, texts of a form. Its last
    /// 4 KiB are kept too, for the fields that come last, like `model` and `stream`. They are not read if it is encoded.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// How often a report is tried that fails while the collector takes others, or that is one of few. Default: 20; the
    /// pauses between (half a second doubling to a minute, drawn evenly from zero to that) add up to six and a half minutes
    /// on average, more than a deployment of the collector takes.
    ///
    /// An attempt counts only if its failure may be the report's: not while the keys are not accepted, not if the
    /// collector said how long to wait (`Retry-After`), and not if it was the one probe by which a collector that is down is
    /// looked for. Then [`max_age`](Self::max_age) is the limit.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// How long a report is tried, from its first attempt. It is given up when it fails after that. Default: 72 hours, a
    /// weekend; what waits takes up [`max_items`](Self::max_items) and [`max_bytes`](Self::max_bytes) all the while.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }
}
