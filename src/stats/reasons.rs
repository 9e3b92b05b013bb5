/// Why an interaction was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// [`max_items`](crate::ConfigBuilder::max_items) were on their way already.
    TooManyItems,
    /// Recording it would have taken more than [`max_bytes`](crate::ConfigBuilder::max_bytes).
    TooManyBytes,
    /// None of its attempts succeeded ([`max_attempts`](crate::ConfigBuilder::max_attempts)).
    Undelivered,
    /// It was tried for longer than [`max_age`](crate::ConfigBuilder::max_age).
    Expired,
    /// This process cannot send it: the endpoint is `https` in a build without TLS, or no HTTP client can be made. An error in
    /// the log says which.
    Unsendable,
    /// It was on disk, and could not be read again.
    Unreadable,
    /// The reporter was shut down, or everything that held it was gone, before it was delivered.
    Shutdown,
    /// Code that handled it panicked: the transport, or a defect of this crate.
    Panicked,
}

/// Why an interaction was, by intent, not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WithholdReason {
    /// The answer was not a success: Reconify documents no shape for one.
    Refused,
    /// There was no answer: the inner service returned an error, or panicked.
    Failed,
    /// The application asked to leave it out ([`DoNotReport`](crate::DoNotReport)).
    OptedOut,
    /// Its session was not among those that are reported ([`ConfigBuilder::sample`](crate::ConfigBuilder::sample)).
    SampledOut,
    /// The hook gave nothing back ([`ConfigBuilder::before_send`](crate::ConfigBuilder::before_send)).
    Hook,
}

/// Why the last delivery failed that did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The collector could not be reached, did not answer in time, or said that it cannot take reports now.
    Unavailable,
    /// The collector refused a report for good.
    Rejected,
    /// The collector did not accept the keys.
    Unauthorized,
    /// This process cannot send reports ([`DropReason::Unsendable`]).
    Unsendable,
}

/// How one interaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    Delivered,
    Rejected,
    Dropped(DropReason),
    Withheld(WithholdReason),
    /// Not yet: it went to disk, and comes back from there.
    Spooled,
}

/// What of a body could not be reported as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    /// There was more of it than is reported.
    pub(crate) is_truncated: bool,
    /// It was encoded in a way that could not be undone.
    pub(crate) is_undecodable: bool,
    /// Reading it would have cost more than it may.
    pub(crate) is_unread: bool,
    /// Something in it was replaced, so that it became JSON.
    pub(crate) is_mended: bool,
    /// Events of it that could not be read.
    pub(crate) skipped: u64,
    /// Hooks that panicked over it.
    pub(crate) hook_panics: u64,
}

impl Losses {
    /// Those of two bodies.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            is_truncated: self.is_truncated || other.is_truncated,
            is_undecodable: self.is_undecodable || other.is_undecodable,
            is_unread: self.is_unread || other.is_unread,
            is_mended: self.is_mended || other.is_mended,
            skipped: self.skipped + other.skipped,
            hook_panics: self.hook_panics + other.hook_panics,
        }
    }
}

impl DropReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::TooManyItems,
        Self::TooManyBytes,
        Self::Undelivered,
        Self::Expired,
        Self::Unsendable,
        Self::Unreadable,
        Self::Shutdown,
        Self::Panicked,
    ];
}

impl WithholdReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Refused, Self::Failed, Self::OptedOut, Self::SampledOut, Self::Hook];
}
