use std::fmt;

/// The type in the report of an interaction.
///
/// Reconify's own modules send the types up to [`Generate`](Self::Generate) (Node module 3.1.0).
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
    /// Generated content: a request to Gemini with one turn, or one to Cohere's generate API.
    Generate,
    /// Embeddings. Reconify documents neither this type nor the following ones.
    Embedding,
    /// A moderation.
    Moderation,
    /// Speech synthesized from text.
    Speech,
    /// Text transcribed from speech.
    Transcription,
    /// English text translated from speech.
    Translation,
    /// A response of the Responses API in its own format.
    Response,
}

impl InteractionKind {
    /// The name in reports, also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Assistant => "assistant",
            Self::Image => "image",
            Self::Generate => "generate",
            Self::Embedding => "embedding",
            Self::Moderation => "moderation",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Translation => "translation",
            Self::Response => "response",
        }
    }
}

/// Shows the name: [`InteractionKind::as_str`].
impl fmt::Display for InteractionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
