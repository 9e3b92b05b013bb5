/// A model provider whose HTTP API the layer understands.
///
/// [`as_str`](Self::as_str) is its name in settings, [`format`](Self::format) the format of its
/// reports, and [`operations`](Self::operations) lists what is captured. On the host of a provider,
/// all of its paths are recognised. On another host, such as a gateway's, paths that applications
/// use too are only captured if the [operation is asked for](crate::ConfigBuilder::capture), or in a
/// layer [for the provider](crate::ReconifyLayer::for_provider).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI (`api.openai.com`), and every server that is compatible with its API. The default,
    /// because most servers are.
    #[default]
    OpenAi,
    /// Anthropic (`api.anthropic.com`), also on Vertex AI, and servers that are compatible with its
    /// Messages API.
    Anthropic,
    /// Gemini, on Google AI Studio (`generativelanguage.googleapis.com`) and Vertex AI.
    Gemini,
    /// Amazon Bedrock, with the models of any vendor. Its host differs in each region; the paths are
    /// recognised on all hosts.
    Bedrock,
    /// Cohere (`api.cohere.com`, `api.cohere.ai`).
    Cohere,
    /// Mistral (`api.mistral.ai`, `codestral.mistral.ai`).
    Mistral,
    /// Perplexity (`api.perplexity.ai`).
    Perplexity,
    /// Ollama (`ollama.com`, and port 11434 of any host). Reconify has no format of its own for it:
    /// its reports have the format `universal`.
    Ollama,
}

/// An operation of a provider's HTTP API that the layer can report.
///
/// "Under any prefix" is written `…`. By default, all operations but OpenAI's embeddings,
/// moderations and audio are captured. Applications have some of the paths themselves; on another
/// host than the provider's, such an operation is captured only if it is asked for: by its name
/// ([`ConfigBuilder::capture`](crate::ConfigBuilder::capture), `RECONIFY_CAPTURE`), by a
/// [route](crate::ConfigBuilder::route), or by a layer
/// [for the provider](crate::ReconifyLayer::for_provider). The host is that of the request's URI.
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
    /// By default only with the header `anthropic-version`, which Anthropic's clients send, or on
    /// `api.anthropic.com`.
    AnthropicMessages,
    /// `POST …/v1/complete`, Anthropic's older API, reported with the type `completion`.
    ///
    /// By default only under the conditions of [`AnthropicMessages`](Self::AnthropicMessages).
    AnthropicCompletion,
    /// `POST …/publishers/anthropic/models/{model}:rawPredict` and `:streamRawPredict` of Vertex AI,
    /// reported with the type `chat` and the model of the path. Captured on any host.
    AnthropicVertex,
    /// `POST …/models/{model}:generateContent` and `:streamGenerateContent` of Gemini and Vertex AI,
    /// reported with the type `generate`, or `chat` if the request has several turns. Captured on any
    /// host.
    GeminiGenerate,
    /// `POST …/model/{id}/converse` and `/converse-stream` of Bedrock, reported with the type `chat`.
    /// Captured on any host, under the conditions of [`BedrockInvoke`](Self::BedrockInvoke).
    BedrockConverse,
    /// `POST …/model/{id}/invoke` and `/invoke-with-response-stream` of Bedrock, reported with the
    /// type `chat`. Captured on any host.
    ///
    /// Models for images, embeddings and ranking are not captured. Neither are ids without a vendor
    /// (`amazon.nova-lite-v1:0` has one), because applications have such paths themselves.
    BedrockInvoke,
    /// `POST …/v2/chat` of Cohere, reported with the type `chat`. By default only on Cohere's hosts.
    CohereChat,
    /// `POST …/v1/chat` of Cohere, reported with the type `chat`. By default only on Cohere's hosts.
    CohereChatV1,
    /// `POST …/v1/generate` of Cohere, reported with the type `generate`. By default only on Cohere's
    /// hosts.
    CohereGenerate,
    /// `POST …/v1/chat/completions` of Mistral, reported with the type `chat`. By default only on
    /// Mistral's hosts.
    ///
    /// The path is also OpenAI's. Where both operations are captured and the host is another, it is
    /// reported as [`Chat`](Self::Chat), except by a layer for the provider.
    MistralChat,
    /// `POST …/chat/completions` of Perplexity, reported with the type `chat`. By default only on
    /// Perplexity's host. The path is OpenAI's too: see [`MistralChat`](Self::MistralChat).
    PerplexityChat,
    /// `POST …/api/chat` of Ollama, reported with the type `chat`. By default only on port 11434 or
    /// `ollama.com`.
    OllamaChat,
    /// `POST …/api/generate` of Ollama, reported with the type `chat`. By default only on port 11434
    /// or `ollama.com`.
    OllamaGenerate,
}
