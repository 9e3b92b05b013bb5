//! The Mistral HTTP API: chat completions in the format of OpenAI.

#[cfg(test)]
mod tests;
