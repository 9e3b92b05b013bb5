use std::fmt;

/// A model provider whose HTTP API the layer understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI, and every server that is compatible with its API.
    #[default]
    OpenAi,
}

impl Provider {
    /// Every provider.
    pub const ALL: &[Self] = &[Self::OpenAi];

    /// The name in reports (`reconify.format`), also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
        }
    }

    /// The format version that Reconify's module for this provider sends.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::OpenAi => "1.0.0",
        }
    }
}

/// Shows the name: [`Provider::as_str`].
impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
