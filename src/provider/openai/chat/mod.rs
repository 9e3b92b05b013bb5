//! Chat completions and text completions.

pub(crate) mod arguments;
pub(crate) mod assembler;
pub(crate) mod choice;
pub(crate) mod chunk;
pub(crate) mod chunk_template;
pub(crate) mod elements;
pub(crate) mod tool_calls;
