use std::cell::Cell;

use super::effort::{Effort, TooMuch};
use crate::budget::Budget;
use crate::provider::operation::Operation;
use crate::provider::{Convert, Placeholders};

/// The settings and limits for reading the bodies of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyContext<'a> {
    pub(crate) operation: Operation,
    /// Limits the size of decoded bodies, and recycles the buffers into which bodies were joined.
    pub(crate) budget: &'a Budget,
    /// Whether optional conversions are made.
    pub(crate) converts: bool,
    pub(crate) effort: Effort,
    /// The bytes charged to the budget for decoded bodies.
    pub(crate) charged: &'a Cell<usize>,
}

impl BodyContext<'_> {
    /// The conversion of the operation, if it has one and the application did not disable it.
    pub(crate) fn convert(&self) -> Option<&'static Convert> {
        let convert = self.operation.spec().convert.as_ref();
        convert.filter(|convert| self.converts || !convert.is_optional)
    }

    /// The placeholders of the reported format.
    pub(crate) fn placeholders(&self) -> Placeholders {
        let spec = self.operation.spec();
        match self.convert() {
            Some(convert) => convert.placeholders,
            None if spec.envelope.is_some_and(|envelope| envelope.encloses) => Placeholders::NONE,
            None => spec.placeholders,
        }
    }

    /// Does some work within the allowance. `None` if the allowance was not enough for all of it.
    pub(crate) fn limited<T>(&self, work: impl FnOnce() -> T) -> Result<Option<T>, TooMuch> {
        let (result, cost) = self.effort.allowance().within(work);
        match cost.is_exhausted || cost.left_out > 0 {
            true if self.effort == Effort::Try => Err(TooMuch),
            is_incomplete => Ok(Some(result).filter(|_| !is_incomplete)),
        }
    }

    /// Charges the budget for more bytes of decoded bodies, if there is room.
    pub(crate) fn charge(&self, bytes: usize) -> bool {
        let has_room = self.budget.charge_body(bytes, self.charged.get() + bytes);
        if has_room {
            self.charged.set(self.charged.get() + bytes);
        }
        has_room
    }
}
