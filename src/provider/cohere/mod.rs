//! The Cohere HTTP API: `/v2/chat`, and the older `/v1/chat` and `/v1/generate`.

pub(crate) mod chat;
mod items;
pub(crate) mod legacy;
#[cfg(test)]
mod tests;
