//! The Ollama HTTP API: `/api/chat` and `/api/generate`.

pub(crate) mod assembler;
mod operations;
#[cfg(test)]
mod tests;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Ollama,
    name: "ollama",
    format: "universal",
    version: "3.1.0",
    hosts: &["ollama.com", ":11434"],
    endings: &[b"at", b"te"],
    recognise: operations::recognise,
    request_string: None,
    tokens: Some("context"),
    operations: operations::OPERATIONS,
};
