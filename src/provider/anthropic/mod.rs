//! The Anthropic HTTP API.

pub(crate) mod complete;
mod event;
pub(crate) mod messages;
mod operations;
mod vertex;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::Anthropic,
    name: "anthropic",
    format: "anthropic",
    version: "3.0.0",
    hosts: &["api.anthropic.com"],
    endings: &[b"es", b"te", b"ct"],
    recognise: operations::recognise,
    request_string: None,
    tokens: None,
    operations: operations::OPERATIONS,
};
