/// A model provider whose HTTP API the layer understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI, and every server that is compatible with its API.
    #[default]
    OpenAi,
}

/// An operation of a provider's HTTP API that the layer can report.
///
/// ```
/// use tower_reconify::{Config, Operation};
///
/// // `POST /ask` is an application's own path for chat completions. Embeddings are reported too.
/// let config = Config::builder("app", "key")
///     .route("/ask", Operation::Chat)
///     .capture([Operation::Chat, Operation::Embedding])
///     .build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `POST …/chat/completions` under any prefix, reported with the type `chat`.
    Chat,
    /// `POST …/completions`, reported with the type `completion`, or `chat` if the request has
    /// messages and no prompt.
    ///
    /// Other APIs use this name too, and those of [`Responses`](Self::Responses),
    /// [`Embedding`](Self::Embedding) and [`Moderation`](Self::Moderation). These four names
    /// therefore count only as the whole path (`/completions`), after a segment of `v` and a number
    /// (`/v1/completions` under any prefix), and after `openai`, `deployments/{name}` or
    /// `engines/{name}`. [Declare](crate::ConfigBuilder::route) any other path.
    Completion,
    /// `POST …/responses`, reported in the format set by
    /// [`ConfigBuilder::responses`](crate::ConfigBuilder::responses).
    Responses,
    /// `POST …/images/generations`, reported with the type `image`.
    ImageGeneration,
    /// `POST …/images/edits`, reported with the type `image`.
    ImageEdit,
    /// `POST …/images/variations`, reported with the type `image`.
    ImageVariation,
    /// `POST …/embeddings`, reported with the type `embedding` if enabled.
    Embedding,
    /// `POST …/moderations`, reported with the type `moderation` if enabled.
    Moderation,
    /// `POST …/audio/speech`, reported with the type `speech` if enabled.
    Speech,
    /// `POST …/audio/transcriptions`, reported with the type `transcription` if enabled.
    Transcription,
    /// `POST …/audio/translations`, reported with the type `translation` if enabled.
    Translation,
}
