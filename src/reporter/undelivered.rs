use std::error::Error;
use std::fmt;

use crate::stats::{DropReason, Settlement};

/// Why [`Reporter::deliver`](crate::Reporter::deliver) did not deliver a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undelivered {
    /// The collector rejected the report. It would do so again.
    Rejected,
    /// The report failed too often, or is too old, or this process cannot send it at all
    /// ([`RetryLimits`](crate::RetryLimits)). Other reports may succeed.
    GivenUp,
    /// The budget has no room for the report ([`Limits`](crate::Limits)). Nothing was sent.
    NoRoom,
    /// The reporter is disabled, or ended first. The report may have been sent.
    Shutdown,
}

impl Undelivered {
    pub(super) fn of(settlement: Settlement) -> Result<(), Self> {
        Err(match settlement {
            Settlement::Delivered => return Ok(()),
            Settlement::Rejected => Self::Rejected,
            Settlement::Dropped(DropReason::TooManyBytes | DropReason::TooManyItems) => Self::NoRoom,
            Settlement::Dropped(DropReason::Shutdown) => Self::Shutdown,
            // Stored reports are neither withheld nor spooled.
            Settlement::Dropped(_) | Settlement::Withheld(_) | Settlement::Spooled => Self::GivenUp,
        })
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "the collector rejected the report",
            Self::GivenUp => "the report was given up after its attempts",
            Self::NoRoom => "the budget has no room for the report",
            Self::Shutdown => "the reporter ended before the report was delivered",
        })
    }
}

impl Error for Undelivered {}
