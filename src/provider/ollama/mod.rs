//! The Ollama HTTP API: `/api/chat` and `/api/generate`.

pub(crate) mod assembler;
#[cfg(test)]
mod tests;
