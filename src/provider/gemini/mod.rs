//! Gemini's `generateContent`, on Google AI Studio and Vertex AI.

mod arguments;
pub(crate) mod assembler;
mod bare_error;
mod candidate;
mod operations;
mod parts;
mod text_template;
mod turns;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Gemini,
    name: "gemini",
    format: "gemini",
    version: "2.2.0",
    // The hosts of Vertex have the region in their names. The paths are proof enough.
    hosts: &["generativelanguage.googleapis.com"],
    endings: &[b"nt"],
    recognise: operations::recognise,
    request_string: None,
    tokens: None,
    operations: operations::OPERATIONS,
};
