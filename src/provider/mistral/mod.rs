//! The Mistral HTTP API: chat completions in the format of OpenAI.

mod operations;
#[cfg(test)]
mod tests;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Mistral,
    name: "mistral",
    format: "mistral",
    version: "2.4.0",
    hosts: &["api.mistral.ai", "codestral.mistral.ai"],
    endings: &[b"ns"],
    recognise: operations::recognise,
    request_string: None,
    tokens: None,
    operations: operations::OPERATIONS,
};
