//! From raw bytes to an interaction: what was asked, and what was answered.

mod alike;
mod allowance;
mod arguments;
mod assembly;
mod audio;
mod choice;
mod chunk;
mod complete;
mod content;
mod decode;
mod effort;
mod elements;
mod error_body;
mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hooks;
mod images;
mod json;
mod lenient;
mod media;
mod merge;
mod multipart;
mod ndjson;
mod parts;
mod received;
mod responses;
mod sse;
#[cfg(test)]
mod sse_oracle;
mod stream;
mod streamed;
mod tail;
mod tool_calls;
mod translate;

pub(crate) use self::effort::Effort;
pub(crate) use self::hooks::apply as apply_hooks;
pub(crate) use self::translate::{Clock, Untranslated, translate};
