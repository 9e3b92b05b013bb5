//! Gemini's `generateContent`, on Google AI Studio and Vertex AI.

mod arguments;
pub(crate) mod assembler;
mod bare_error;
mod candidate;
mod parts;
