//! The Amazon Bedrock HTTP API: Converse, and the models' own formats.

mod blocks;
mod converse;
mod invoke;
mod lines;
mod texts;

#[cfg(test)]
mod tests;
