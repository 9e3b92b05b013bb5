//! The OpenAI HTTP API.

pub(crate) mod assembly;
pub(crate) mod audio;
pub(crate) mod chat;
pub(crate) mod error_body;
pub(crate) mod images;
pub(crate) mod responses;
