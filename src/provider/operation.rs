/// A model provider whose HTTP API the layer understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI, and every server that is compatible with its API.
    #[default]
    OpenAi,
    /// Anthropic, also on Vertex AI, and servers that are compatible with its Messages API.
    Anthropic,
    /// Gemini, on Google AI Studio and Vertex AI.
    Gemini,
    /// Amazon Bedrock, with the models of any vendor.
    Bedrock,
    /// Cohere.
    Cohere,
    /// Mistral.
    Mistral,
    /// Perplexity.
    Perplexity,
    /// Ollama. Reconify has no format of its own for it: its reports have the format `universal`.
    Ollama,
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
    /// `POST …/v1/messages` of Anthropic's API, reported with the type `chat`.
    ///
    /// Applications use this path themselves. It is captured by default if the request has the
    /// header `anthropic-version` or goes to `api.anthropic.com`.
    AnthropicMessages,
    /// `POST …/v1/complete`, Anthropic's older API, reported with the type `completion`. Captured
    /// by default under the conditions of [`AnthropicMessages`](Self::AnthropicMessages).
    AnthropicCompletion,
    /// `POST …/publishers/anthropic/models/{model}:rawPredict` and `:streamRawPredict` of Vertex AI,
    /// reported with the type `chat`.
    AnthropicVertex,
    /// `POST …/models/{model}:generateContent` and `:streamGenerateContent` of Gemini and Vertex AI,
    /// reported with the type `generate`, or `chat` if the request has several turns.
    GeminiGenerate,
    /// `POST /model/{id}/converse` and `/converse-stream` of Bedrock, reported with the type `chat`.
    BedrockConverse,
    /// `POST /model/{id}/invoke` and `/invoke-with-response-stream` of Bedrock, reported with the
    /// type `chat`. Models for images, embeddings and ranking are not captured, nor are ids without a
    /// vendor, because applications have such paths themselves.
    BedrockInvoke,
    /// `POST …/v2/chat` of Cohere, reported with the type `chat`.
    ///
    /// Applications use the paths of Cohere, Mistral, Perplexity and Ollama themselves. They are
    /// captured by default only on the provider's host.
    CohereChat,
    /// `POST …/v1/chat` of Cohere, reported with the type `chat`; only on Cohere's host by default.
    CohereChatV1,
    /// `POST …/v1/generate` of Cohere, reported with the type `generate`; only on Cohere's host by
    /// default.
    CohereGenerate,
    /// `POST …/v1/chat/completions` on Mistral's host, reported with the type `chat`.
    MistralChat,
    /// `POST …/chat/completions` on Perplexity's host, reported with the type `chat`.
    PerplexityChat,
    /// `POST …/api/chat` of Ollama, reported with the type `chat`; by default only on port 11434 or
    /// `ollama.com`.
    OllamaChat,
    /// `POST …/api/generate` of Ollama, reported with the type `chat`; by default only on port 11434
    /// or `ollama.com`.
    OllamaGenerate,
}
