//! The OpenAI HTTP API.

pub(crate) mod audio;
pub(crate) mod chat;
pub(crate) mod error_body;
mod event;
pub(crate) mod images;
mod operations;
mod recognise;
pub(crate) mod responses;

pub(crate) use self::operations::OPERATIONS;
pub(crate) use self::recognise::recognise;
