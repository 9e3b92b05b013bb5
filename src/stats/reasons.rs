use crate::names::named;

/// Why an interaction was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// [`Limits::items`](crate::Limits::items) interactions were already in progress.
    TooManyItems,
    /// Recording it would have exceeded [`Limits::bytes`](crate::Limits::bytes).
    TooManyBytes,
    /// All its attempts failed ([`RetryLimits::attempts`](crate::RetryLimits::attempts)).
    Undelivered,
    /// It was retried for longer than [`RetryLimits::age`](crate::RetryLimits::age).
    Expired,
    /// This process cannot send it: the endpoint is `https` in a build without TLS, or no HTTP
    /// client can be created. The log has an error with the cause.
    Unsendable,
    /// It was on disk and could not be read again.
    Unreadable,
    /// The reporter was shut down, or all its handles were dropped, before delivery.
    Shutdown,
    /// Code that handled it panicked: the transport, or a defect of this crate.
    Panicked,
}

/// Why an interaction was intentionally not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WithholdReason {
    /// The response was not a success, and Reconify documents no format for that.
    Refused,
    /// There was no response: the inner service returned an error or panicked.
    Failed,
    /// The application opted out of it ([`DoNotReport`](crate::DoNotReport)).
    OptedOut,
    /// Its session was not in the sample ([`ConfigBuilder::sample`](crate::ConfigBuilder::sample)).
    SampledOut,
    /// The hook returned `None`
    /// ([`ConfigBuilder::before_send`](crate::ConfigBuilder::before_send)).
    Hook,
}

/// Why a delivery attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// There was no connection: the host has no address, refused it or closed it.
    Unreachable,
    /// The TLS handshake failed, for example because of the certificate.
    Tls,
    /// The collector did not answer in time.
    Timeout,
    /// The collector answered with a status that means "not now": 408, 425, 429 or 5xx.
    Unavailable,
    /// A transport of the application failed with an error of its own.
    Transport,
    /// The collector rejected a report permanently.
    Rejected,
    /// The collector did not accept the keys.
    Unauthorized,
    /// This process cannot send reports ([`DropReason::Unsendable`]).
    Unsendable,
}

impl FailureClass {
    /// The class with all ways in which a collector can be down as one.
    pub(crate) fn in_general(self) -> Self {
        match self {
            Self::Unreachable | Self::Tls | Self::Timeout | Self::Transport => Self::Unavailable,
            class => class,
        }
    }

    /// Whether the report is retried.
    pub(crate) fn is_retryable(self) -> bool {
        !matches!(self, Self::Rejected | Self::Unsendable)
    }
}

/// How one interaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    Delivered,
    Rejected,
    Dropped(DropReason),
    Withheld(WithholdReason),
    /// It has not ended: it is on disk only, and will be loaded again.
    Spooled,
}

/// The content of a body that could not be reported unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    /// The body is longer than the report of it.
    pub(crate) is_truncated: bool,
    /// Its encoding could not be decoded.
    pub(crate) is_undecodable: bool,
    /// Reading it would have exceeded the limit on work.
    pub(crate) is_unread: bool,
    /// Parts of it were replaced to make it valid JSON.
    pub(crate) is_mended: bool,
    /// The number of its events that could not be read.
    pub(crate) skipped: u64,
    /// The number of hooks that panicked on it.
    pub(crate) hook_panics: u64,
}

impl Losses {
    /// Combines the losses of two bodies.
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

named!(DropReason {
    TooManyItems => "too_many_items",
    TooManyBytes => "too_many_bytes",
    Undelivered => "undelivered",
    Expired => "expired",
    Unsendable => "unsendable",
    Unreadable => "unreadable",
    Shutdown => "shutdown",
    Panicked => "panicked",
});

named!(WithholdReason {
    Refused => "refused",
    Failed => "failed",
    OptedOut => "opted_out",
    SampledOut => "sampled_out",
    Hook => "hook",
});

named!(FailureClass {
    Unreachable => "unreachable",
    Tls => "tls",
    Timeout => "timeout",
    Unavailable => "unavailable",
    Transport => "transport",
    Rejected => "rejected",
    Unauthorized => "unauthorized",
    Unsendable => "unsendable",
});
