//! The Cohere HTTP API: `/v2/chat`, and the older `/v1/chat` and `/v1/generate`.

pub(crate) mod chat;
mod items;
pub(crate) mod legacy;
mod operations;
#[cfg(test)]
mod tests;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Cohere,
    name: "cohere",
    format: "cohere",
    version: "2.1.0",
    hosts: &["api.cohere.com", "api.cohere.ai"],
    endings: &[b"at", b"te"],
    recognise: operations::recognise,
    request_string: None,
    tokens: None,
    operations: operations::OPERATIONS,
};
