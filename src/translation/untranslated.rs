use super::effort::TooMuch;
use crate::stats::Settlement;

/// Why an exchange yields no interaction.
#[derive(Debug)]
pub(crate) enum Untranslated {
    /// The exchange is settled without a report.
    Settled(Settlement),
    /// A body needs more than [`Effort::Try`] allows. The exchange is unchanged.
    TooMuch,
}

impl From<Settlement> for Untranslated {
    fn from(settlement: Settlement) -> Self {
        Self::Settled(settlement)
    }
}

impl From<TooMuch> for Untranslated {
    fn from(_: TooMuch) -> Self {
        Self::TooMuch
    }
}
