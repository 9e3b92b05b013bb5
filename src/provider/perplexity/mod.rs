//! The Perplexity HTTP API: chat completions in the format of OpenAI, with sources.

pub(crate) mod assembler;
#[cfg(test)]
mod tests;
