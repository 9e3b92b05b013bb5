//! The OpenAI HTTP API.

pub(crate) mod audio;
pub(crate) mod chat;
mod event;
pub(crate) mod images;
mod operations;
pub(crate) mod responses;

use crate::provider::operation::Provider;
use crate::provider::spec::ProviderSpec;

pub(crate) const PROVIDER: ProviderSpec = ProviderSpec {
    provider: Provider::OpenAi,
    name: "openai",
    format: "openai",
    version: "1.0.0",
    hosts: &["api.openai.com"],
    endings: &[b"ns", b"es", b"ts", b"gs", b"ch"],
    recognise: operations::recognise,
    request_string: None,
    tokens: None,
    operations: operations::OPERATIONS,
};
