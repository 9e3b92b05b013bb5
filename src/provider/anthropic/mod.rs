//! The Anthropic HTTP API.

pub(crate) mod complete;
mod event;
pub(crate) mod messages;
