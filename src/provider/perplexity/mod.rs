//! The Perplexity HTTP API: chat completions in the format of OpenAI, with sources.

pub(crate) mod assembler;
mod operations;
#[cfg(test)]
mod tests;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Perplexity,
    name: "perplexity",
    format: "perplexity",
    version: "2.4.0",
    hosts: &["api.perplexity.ai"],
    endings: &[b"ns"],
    recognise: operations::recognise,
    request_string: None,
    tokens: None,
    operations: operations::OPERATIONS,
};
