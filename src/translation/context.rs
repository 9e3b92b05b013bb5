use std::cell::Cell;

use super::effort::{Effort, TooMuch};
use crate::budget::Budget;
use crate::provider::Convert;
use crate::provider::operation::Operation;

/// How the bodies of an exchange are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyContext<'a> {
    pub(crate) operation: Operation,
    /// Says how much of a decoded body is kept, and takes back what bodies were copied into.
    pub(crate) budget: &'a Budget,
    /// Whether bodies are converted into the shape that Reconify documents.
    pub(crate) converts: bool,
    pub(crate) effort: Effort,
    /// The bytes of the budget that decoded bodies are charged for.
    pub(crate) charged: &'a Cell<usize>,
}

impl BodyContext<'_> {
    /// How bodies are converted, if they are.
    pub(crate) fn convert(&self) -> Option<&'static Convert> {
        self.operation.spec().convert.as_ref().filter(|_| self.converts)
    }

    /// Does something with what was read, within the allowance. `None` if that does not suffice for all of it.
    pub(crate) fn limited<T>(&self, work: impl FnOnce() -> T) -> Result<Option<T>, TooMuch> {
        let (result, cost) = self.effort.allowance().within(work);
        match cost.is_exhausted || cost.left_out > 0 {
            true if self.effort == Effort::Try => Err(TooMuch),
            is_incomplete => Ok(Some(result).filter(|_| !is_incomplete)),
        }
    }

    /// Charges the budget for so many more bytes of decoded bodies, if it has room for them.
    pub(crate) fn charge(&self, bytes: usize) -> bool {
        let has_room = self.budget.charge_body(bytes, self.charged.get() + bytes);
        if has_room {
            self.charged.set(self.charged.get() + bytes);
        }
        has_room
    }
}
