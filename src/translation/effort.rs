use crate::codec::allowance::Allowance;

/// What reading each body of an exchange may cost, and what becomes of one that costs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Little. A body that costs more is not read yet.
    Try,
    /// Nothing. Bodies are reported by type and length.
    Unread,
    /// As much as a body with a thread of its own may. One that costs more is reported by type and length.
    Full,
}

/// Reading a body costs more than it may for now.
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
