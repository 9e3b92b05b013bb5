use std::fmt;

/// A field that consoles reach for, and the JSON that stands for an empty one. It is added to what could not be read whole.
pub(crate) type Placeholder = Option<(&'static str, &'static str)>;

/// The type that an interaction is reported with. Reconify's own modules send the first four (Node module 3.1.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InteractionKind {
    /// A chat completion.
    Chat,
    /// A text completion.
    Completion,
    /// A message to and from an assistant.
    Assistant,
    /// Generated images.
    Image,
    /// Embeddings; like all that follow, no type of the vendor's.
    Embedding,
    /// A moderation.
    Moderation,
    /// Speech made of a text.
    Speech,
    /// A text made of speech.
    Transcription,
    /// An English text made of speech.
    Translation,
    /// An answer of the Responses API in its own shape.
    Response,
}

impl InteractionKind {
    /// The name that reports have, also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Assistant => "assistant",
            Self::Image => "image",
            Self::Embedding => "embedding",
            Self::Moderation => "moderation",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Translation => "translation",
            Self::Response => "response",
        }
    }

    /// What a console reaches for in a request and in a response of this type.
    pub(crate) fn placeholders(self) -> (Placeholder, Placeholder) {
        match self {
            Self::Chat | Self::Assistant => (Some(("messages", "[]")), Some(("choices", "[]"))),
            Self::Completion => (Some(("prompt", "\"\"")), Some(("choices", "[]"))),
            Self::Image => (Some(("prompt", "\"\"")), Some(("data", "[]"))),
            _ => (None, None),
        }
    }
}

/// Shows the name: [`InteractionKind::as_str`].
impl fmt::Display for InteractionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
