//! What is known of each operation, looked up in the table of its provider.

use std::fmt;

use super::openai;
use super::operation::Operation;
use super::spec::OperationSpec;

impl Operation {
    /// The row of the operation.
    #[inline]
    pub(crate) fn spec(self) -> &'static OperationSpec {
        // The rows stand in the order of the enum, as is checked when the table is compiled.
        openai::OPERATIONS.get(self as usize).unwrap_or(&openai::OPERATIONS[0])
    }

    /// The name in settings and reports, also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// Those that are captured unless a setting says otherwise: Reconify documents no type for the others.
    pub(crate) fn on_by_default() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|operation| operation.spec().on_by_default)
    }

    /// Whether it answers with images.
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
