//! The Amazon Bedrock HTTP API: Converse, and the models' own formats.

mod blocks;
mod converse;
mod envelope;
mod invoke;
mod lines;
mod model;
mod operations;
mod texts;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Bedrock,
    name: "bedrock",
    format: "bedrock",
    version: "1.0.0",
    // Every region has its own. The path is proof enough.
    hosts: &[],
    endings: &[b"se", b"am", b"ke"],
    recognise: operations::recognise,
    request_string: Some("body"),
    tokens: None,
    operations: operations::OPERATIONS,
};

#[cfg(test)]
mod tests;
