use crate::codec::allowance::Allowance;

/// How much work may go into each body of an exchange, and the fallback for a body that exceeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Little work. A more expensive body is deferred.
    Try,
    /// No work. Bodies are reported by media type and length.
    Unread,
    /// The work allowed on a dedicated thread. A more expensive body is reported by media type and
    /// length.
    Full,
}

/// A body exceeds the current effort and is deferred.
#[derive(Debug)]
pub(crate) struct TooMuch;

impl Effort {
    pub(crate) fn allowance(self) -> Allowance {
        match self {
            Self::Try => Allowance::SMALL,
            Self::Unread => Allowance::ZERO,
            Self::Full => Allowance::LARGE,
        }
    }
}
