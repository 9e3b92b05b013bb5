//! Streamed messages.

mod assembler;
mod blocks;
mod delta_template;

pub(crate) use self::assembler::MessageAssembler;

#[cfg(test)]
mod tests;
