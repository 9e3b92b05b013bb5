//! The providers' wire formats. Pure functions: no module here knows a setting or does I/O.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod captured;
mod cohere;
mod detached_image;
mod error_body;
pub(crate) mod gemini;
mod indexed;
mod kept_images;
mod kind;
pub(crate) mod media;
pub(crate) mod merge;
mod mistral;
mod model;
mod ollama;
pub(crate) mod openai;
pub(crate) mod operation;
mod perplexity;
mod placeholder;
mod rows;
mod spec;
pub(crate) mod stream;
mod table;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use self::detached_image::DetachedImage;
pub use self::kind::InteractionKind;
pub use self::operation::Provider;
pub(crate) use self::placeholder::{Placeholder, Placeholders};
pub(crate) use self::spec::{Convert, Converted, Envelope, Enveloped, Images, OperationSpec, ProviderSpec};
pub(crate) use self::target::RequestTarget;

/// Fields that repeat the text of a response in pieces.
pub(crate) const ECHOES: &[&str] = &[
    "logprobs",
    "segments",
    "words",
    // Gemini.
    "logprobsResult",
    "logprobs_result",
    // Cohere, and AI21 on Bedrock.
    "token_likelihoods",
    "generatedToken",
    "topTokens",
];

/// The providers, in the order of their enum.
const PROVIDERS: &[ProviderSpec] = &[
    openai::PROVIDER,
    anthropic::PROVIDER,
    gemini::PROVIDER,
    bedrock::PROVIDER,
    cohere::PROVIDER,
    mistral::PROVIDER,
    perplexity::PROVIDER,
    ollama::PROVIDER,
];
