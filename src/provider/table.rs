//! Looks up an operation's properties in the table of its provider.

use std::fmt;

use super::openai;
use super::operation::Operation;
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
        matches!(self, Self::ImageGeneration | Self::ImageEdit | Self::ImageVariation)
    }
}

/// Shows the name: [`Operation::as_str`].
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
