//! Looks up an operation's properties in the table of its provider.

use std::fmt;

use super::kind::InteractionKind;
use super::openai;
use super::operation::Operation;
use super::providers::Provider;
use super::spec::OperationSpec;

impl Operation {
    /// The row of the operation.
    #[inline]
    pub(crate) fn spec(self) -> &'static OperationSpec {
        // The rows are in the order of the enum: a compile-time assertion checks it.
        openai::OPERATIONS.get(self as usize).unwrap_or(&openai::OPERATIONS[0])
    }

    /// The name in settings and reports, also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The operations captured by default. Reconify documents no type for the others.
    pub(crate) fn on_by_default() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|operation| operation.spec().on_by_default)
    }

    /// Whether its responses are images.
    pub(crate) fn is_image(self) -> bool {
        self.spec().kind == InteractionKind::Image
    }
}

impl Provider {
    /// The row for interactions of this kind: that of the first operation with this kind, or else
    /// the first row.
    pub(crate) fn spec(self, kind: InteractionKind) -> &'static OperationSpec {
        let mut rows = openai::OPERATIONS.iter().filter(|row| row.provider == self);
        rows.find(|row| row.kind == kind).unwrap_or(&openai::OPERATIONS[0])
    }
}

/// Shows the name: [`Operation::as_str`].
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
